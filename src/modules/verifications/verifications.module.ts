import { Module } from '@nestjs/common';

import { StartVerificationHandler } from './start-verification/start-verification.handler.js';
import { VerificationsController } from './verifications.controller.js';

@Module({ controllers: [VerificationsController], providers: [StartVerificationHandler] })
export class VerificationsModule {}
