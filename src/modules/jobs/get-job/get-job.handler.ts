import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { UnknownJob } from '#domain/jobs/job.errors';
import { JobRow } from '#projections/jobs/job.entity';

import { CopiedShare } from '../copied-share.js';
import { type JobDetailsResponse, jobDetailsResponse } from '../job.response.js';

export class GetJob extends Query<JobDetailsResponse> {
  constructor(readonly jobId: string) {
    super();
  }
}

@QueryHandler(GetJob)
export class GetJobHandler implements IQueryHandler<GetJob> {
  constructor(
    private readonly rows: DataSource,
    private readonly copied: CopiedShare,
  ) {}

  async execute({ jobId }: GetJob): Promise<JobDetailsResponse> {
    const row = await this.rows.getRepository(JobRow).findOneBy({ jobId });
    if (row === null) throw new UnknownJob(jobId);
    return jobDetailsResponse(row, (await this.copied.of([row])).get(jobId) ?? null);
  }
}
