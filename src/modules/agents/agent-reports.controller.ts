import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';

import type { CommandContext } from '#domain/kernel/command-context';
import { Endpoint } from '#platform/http/endpoint';
import { Asking } from '#platform/http/request-context';

import { CompleteDisk } from './complete-disk/complete-disk.handler.js';
import { CompleteDiskRequest } from './complete-disk/complete-disk.request.js';
import { DiskCompletedResponse } from './complete-disk/complete-disk.response.js';
import { GetChangeId } from './get-change-id/get-change-id.handler.js';
import { GetChangeIdRequest } from './get-change-id/get-change-id.request.js';
import { BaseChangeIdResponse } from './get-change-id/get-change-id.response.js';
import { ReportTelemetry } from './report-telemetry/report-telemetry.handler.js';
import { TelemetryTakenResponse } from './report-telemetry/report-telemetry.response.js';
import { TelemetryRequest } from './report-telemetry/telemetry.request.js';

/** What agents tell and ask; each only of jobs that it was given itself. */
@ApiTags('agents')
@Controller()
export class AgentReportsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('backups/:backup_id/complete')
  @Endpoint({
    summary: 'An agent has copied one disk of an open job, up to a change id; said again it changes nothing',
    access: 'agent',
    answers: { status: 200, about: 'what was taken down', type: DiskCompletedResponse },
    refusals: {
      400: 'malformed-request',
      404: 'unknown-backup, disk-not-in-job',
      409: 'job-is-over, disk-reported-otherwise',
    },
    mutates: true,
    reads: ['backup', 'job'],
    subject: ['backup'],
  })
  async complete(
    @Param('backup_id') backupId: string,
    @Body() body: CompleteDiskRequest,
    @Asking() context: CommandContext,
  ): Promise<DiskCompletedResponse> {
    return this.commands.execute(new CompleteDisk(backupId, body, context));
  }

  @Get('backups/changeid')
  @Endpoint({
    summary: "The base of one disk of the VM's open job; empty when everything is to be copied",
    access: 'agent',
    answers: { status: 200, about: 'what to copy', type: BaseChangeIdResponse },
    refusals: {
      400: 'malformed-request',
      404: 'unknown-vm, unknown-backup, disk-not-in-job',
      409: 'ambiguous-vm-name, job-is-over, stream-deleted',
    },
    reads: ['vm_context'],
  })
  async changeId(@Query() query: GetChangeIdRequest, @Asking() context: CommandContext): Promise<BaseChangeIdResponse> {
    return this.queries.execute(new GetChangeId(query, context.actor.id));
  }

  @Post('telemetry/:job_type/:job_id')
  @Endpoint({
    summary: 'How far an agent is with an open job; what comes out of order is counted and otherwise ignored',
    access: 'agent',
    answers: {
      status: 200,
      about: 'that it was taken down',
      type: TelemetryTakenResponse,
      headers: ['X-Event-Position', 'X-Consistency'],
    },
    refusals: { 400: 'malformed-request', 404: 'unknown-backup', 409: 'job-is-over, stream-deleted' },
    reads: [],
  })
  async telemetry(
    @Param('job_type') jobType: string,
    @Param('job_id') jobId: string,
    @Body() body: TelemetryRequest,
    @Asking() context: CommandContext,
  ): Promise<TelemetryTakenResponse> {
    return this.commands.execute(new ReportTelemetry(jobType, jobId, body, context.actor.id));
  }
}
