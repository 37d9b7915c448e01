import { Module } from '@nestjs/common';

import { AuditController } from './audit.controller.js';
import { ListAuditHandler } from './list-audit/list-audit.handler.js';

@Module({ controllers: [AuditController], providers: [ListAuditHandler] })
export class AuditModule {}
