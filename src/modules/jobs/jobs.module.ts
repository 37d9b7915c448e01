import { Module } from '@nestjs/common';

import { CancelJobHandler } from './cancel-job/cancel-job.handler.js';
import { GetJobHandler } from './get-job/get-job.handler.js';
import { JobsController } from './jobs.controller.js';
import { JobEnds } from './job-ends.js';
import { ListJobsHandler } from './list-jobs/list-jobs.handler.js';

@Module({
  controllers: [JobsController],
  providers: [ListJobsHandler, GetJobHandler, CancelJobHandler, JobEnds],
})
export class JobsModule {}
