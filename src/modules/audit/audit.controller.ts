import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';

import { Endpoint } from '#platform/http/endpoint';

import { AuditPageResponse } from './audit.response.js';
import { ListAudit } from './list-audit/list-audit.handler.js';
import { ListAuditRequest } from './list-audit/list-audit.request.js';

@ApiTags('audit')
@Controller('audit')
export class AuditController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Endpoint({
    summary: 'Every event: who did what, when, why, and what led to it; newest first',
    access: 'viewer',
    answers: { status: 200, about: 'one page of events', type: AuditPageResponse },
    refusals: { 400: 'malformed-request' },
    reads: ['audit', 'app_user'],
  })
  async list(@Query() query: ListAuditRequest): Promise<AuditPageResponse> {
    return this.queries.execute(new ListAudit(query));
  }
}
