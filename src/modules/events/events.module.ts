import { Module } from '@nestjs/common';

import { EventStreams } from '#platform/event-stream/event-streams';

import { EventsController } from './events.controller.js';
import { VmOfEvents } from './vm-of-events.js';

@Module({ controllers: [EventsController], providers: [EventStreams, VmOfEvents] })
export class EventsModule {}
