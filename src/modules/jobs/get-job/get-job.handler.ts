import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { UnknownJob } from '#domain/jobs/job.errors';
import { Views } from '#platform/database/views';
import type { Shown } from '#platform/http/etag';
import { haveReached } from '#platform/projections/have-reached';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';
import { waitsFor } from '#platform/sagas/waits-for';
import { JOB_STREAMS } from '#projections/jobs/job.projection';

import { copiedShare, type JobRowWithCopy, withCopy } from '../copied-share.js';
import { JobEnds } from '../job-ends.js';
import { type JobDetailsResponse, jobDetailsResponse } from '../job.response.js';

/** Who is told that a job is over finds its backup or mount so, too. */
const SHOWN_ELSEWHERE = ['backup', 'mount'];
const VISIBLE_WITHIN_MS = 1500;
const STREAMS = `array[${JOB_STREAMS.map((saga) => `'${saga}-' || one.job_id`).join(', ')}]`;

type Row = JobRowWithCopy & { readonly waitsFor: string | null; readonly shown: boolean | null };

export class GetJob extends Query<Shown<JobDetailsResponse>> {
  constructor(
    readonly jobId: string,
    /** So long it is waited for the job's end, unless who asked is gone. */
    readonly wait: { readonly forMs: number; readonly gone: AbortSignal } | null = null,
  ) {
    super();
  }
}

@QueryHandler(GetJob)
export class GetJobHandler implements IQueryHandler<GetJob> {
  constructor(
    private readonly views: Views,
    private readonly progress: ProjectionProgress,
    private readonly ends: JobEnds,
  ) {}

  async execute({ jobId, wait }: GetJob): Promise<Shown<JobDetailsResponse>> {
    if (wait !== null) await this.ends.of(jobId, wait.forMs, wait.gone);
    const { columns, joins } = withCopy(this.views);
    const [row] = await this.views.select<Row>(
      `select ${columns}, case when one.status = 'running' then ${waitsFor(STREAMS)} end as "waitsFor",
              ${haveReached(SHOWN_ELSEWHERE, 'job')} as shown from job one ${joins} where one.job_id = $1`,
      [jobId],
    );
    if (row === undefined) throw new UnknownJob(jobId);
    if (row.shown !== true) await this.progress.waitForLeader(SHOWN_ELSEWHERE, 'job', VISIBLE_WITHIN_MS);
    return { body: jobDetailsResponse(row, copiedShare(row), row.waitsFor), revision: row.revision };
  }
}
