import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { cursorOf, readCursor } from '#platform/http/paging';
import { JobRow } from '#projections/jobs/job.entity';

import { CopiedShare } from '../copied-share.js';
import { jobResponse, type JobsPageResponse } from '../job.response.js';
import type { ListJobsRequest } from './list-jobs.request.js';

/** Newest first. */
export class ListJobs extends Query<JobsPageResponse> {
  constructor(readonly request: ListJobsRequest) {
    super();
  }
}

@QueryHandler(ListJobs)
export class ListJobsHandler implements IQueryHandler<ListJobs> {
  constructor(
    private readonly rows: DataSource,
    private readonly copied: CopiedShare,
  ) {}

  async execute({ request }: ListJobs): Promise<JobsPageResponse> {
    const { limit, job_type: type, status, vm_context_id: contextId } = request;
    const after = readCursor(request.cursor, 'moment', 'text');
    const select = this.rows.getRepository(JobRow).createQueryBuilder('one');
    if (type !== undefined) select.andWhere('one.job_type = :type', { type });
    if (status !== undefined) select.andWhere('one.status = :status', { status });
    if (contextId !== undefined) select.andWhere('one.vm_context_id = :contextId', { contextId });
    if (after !== null) {
      select.andWhere('(one.created_at, one.job_id) < (:at, :id)', { at: after[0], id: after[1] });
    }
    const found = await select
      .orderBy('one.createdAt', 'DESC')
      .addOrderBy('one.jobId', 'DESC')
      .limit(limit + 1)
      .getMany();
    const page = found.slice(0, limit);
    const copied = await this.copied.of(page);
    const last = page.at(-1);
    return {
      jobs: page.map((row) => jobResponse(row, copied.get(row.jobId) ?? null)),
      next_cursor:
        found.length > limit && last !== undefined ? cursorOf(last.createdAt.toISOString(), last.jobId) : null,
    };
  }
}
