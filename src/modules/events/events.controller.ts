import { Controller, Get, Headers, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';

import type { StoredEvent } from '#domain/kernel/event';
import { EventStreams } from '#platform/event-stream/event-streams';
import { bearerToken } from '#platform/http/access.guard';
import { Endpoint } from '#platform/http/endpoint';
import { Positions } from '#platform/http/positions';

import { StreamEventsRequest } from './stream-events/stream-events.request.js';
import { VmOfEvents } from './vm-of-events.js';

const STREAM_HEADERS = { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' };

@ApiTags('audit')
@Controller('events')
export class EventsController {
  constructor(
    private readonly streams: EventStreams,
    private readonly positions: Positions,
    private readonly vms: VmOfEvents,
  ) {}

  @Get('stream')
  @Endpoint({
    summary: 'Every event of the log from now on, or from a position on, as server-sent events',
    access: 'viewer',
    answers: {
      status: 200,
      about:
        'id is the position, event the type, data what the audit trail shows; slow readers are closed, nothing is left out',
      media: 'text/event-stream',
      headers: ['X-Accel-Buffering'],
    },
    refusals: {
      400: 'malformed-request, unknown-position, position-ahead-of-log',
      429: 'too-many-streams',
    },
    reads: [],
  })
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description: 'position to go on after; empty for the whole log',
  })
  async stream(
    @Query() query: StreamEventsRequest,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const given = lastEventId ?? query.after;
    const after = given === undefined ? await this.positions.head() : await this.positions.known(given);
    if (request.method === 'HEAD') {
      await reply.headers(STREAM_HEADERS).send();
      return;
    }
    const reader = {
      userId: request.principal?.userId ?? '',
      token: bearerToken(request) ?? '',
      correlationId: request.id,
    };
    const { types } = query;
    const events = await this.streams.open(reader, { after, ...(types && { types }), wants: this.wantsOf(query) });
    await reply.headers(STREAM_HEADERS).send(events);
  }

  private wantsOf({ vm_context_id: vm, correlation_id: correlation }: StreamEventsRequest) {
    return (event: StoredEvent): boolean | Promise<boolean> => {
      if (correlation !== undefined && event.metadata.correlationId !== correlation) return false;
      return vm === undefined || this.vms.isAbout(event, vm);
    };
  }
}
