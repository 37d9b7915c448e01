import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { UnknownJob } from '#domain/jobs/job.errors';
import type { Shown } from '#platform/http/etag';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';
import { JobRow } from '#projections/jobs/job.entity';

import { CopiedShare } from '../copied-share.js';
import { JobEnds } from '../job-ends.js';
import { type JobDetailsResponse, jobDetailsResponse } from '../job.response.js';

/** Who is told that a job is over finds its backup or mount so, too. */
const SHOWN_ELSEWHERE = ['backup', 'mount'];
const VISIBLE_WITHIN_MS = 1500;

export class GetJob extends Query<Shown<JobDetailsResponse>> {
  constructor(
    readonly jobId: string,
    /** So long it is waited for the job's end. */
    readonly waitMs = 0,
  ) {
    super();
  }
}

@QueryHandler(GetJob)
export class GetJobHandler implements IQueryHandler<GetJob> {
  constructor(
    private readonly rows: DataSource,
    private readonly copied: CopiedShare,
    private readonly progress: ProjectionProgress,
    private readonly ends: JobEnds,
  ) {}

  async execute({ jobId, waitMs }: GetJob): Promise<Shown<JobDetailsResponse>> {
    if (waitMs > 0) await this.ends.of(jobId, waitMs);
    const row = await this.rows.getRepository(JobRow).findOneBy({ jobId });
    if (row === null) throw new UnknownJob(jobId);
    await this.progress.waitForLeader(SHOWN_ELSEWHERE, 'job', VISIBLE_WITHIN_MS);
    const body = jobDetailsResponse(row, (await this.copied.of([row])).get(jobId) ?? null);
    return { body, revision: row.revision };
  }
}
