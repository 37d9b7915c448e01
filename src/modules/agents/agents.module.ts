import { Module } from '@nestjs/common';

import { AgentReportsController } from './agent-reports.controller.js';
import { CompleteDiskHandler } from './complete-disk/complete-disk.handler.js';
import { GetChangeIdHandler } from './get-change-id/get-change-id.handler.js';
import { OpenJobs } from './open-jobs.js';
import { ReportTelemetryHandler } from './report-telemetry/report-telemetry.handler.js';

@Module({
  controllers: [AgentReportsController],
  providers: [CompleteDiskHandler, GetChangeIdHandler, ReportTelemetryHandler, OpenJobs],
})
export class AgentsModule {}
