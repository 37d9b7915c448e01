import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { Filter, Views } from '#platform/database/views';
import { List } from '#platform/http/paging';

import { copiedShare, type JobRowWithCopy, withCopy } from '../copied-share.js';
import { jobResponse, type JobsPageResponse } from '../job.response.js';
import { JOB_STATUSES, JOB_TYPES, type ListJobsRequest } from './list-jobs.request.js';

/** Newest first. */
export class ListJobs extends Query<JobsPageResponse> {
  constructor(readonly request: ListJobsRequest) {
    super();
  }
}

@QueryHandler(ListJobs)
export class ListJobsHandler implements IQueryHandler<ListJobs> {
  constructor(private readonly views: Views) {}

  async execute({ request }: ListJobs): Promise<JobsPageResponse> {
    const list = new List('jobs', request);
    const { limit, job_type: type, status, vm_context_id: contextId } = request;
    const filter = new Filter()
      .oneOf(type, JOB_TYPES, (place) => `one.job_type = ${place}`)
      .oneOf(status, JOB_STATUSES, (place) => `one.status = ${place}`)
      .on(contextId, (place) => `one.vm_context_id = ${place}`);
    const found = await this.views.page<JobRowWithCopy>({
      ...withCopy(this.views),
      view: 'job',
      filter,
      order: ['one.created_at', 'one.job_id'],
      descending: true,
      after: list.after('moment', 'text'),
      limit,
    });
    const { rows, next } = list.page(found, (row) => [row.createdAt.toISOString(), row.jobId]);
    return { jobs: rows.map((row) => jobResponse(row, copiedShare(row))), next_cursor: next };
  }
}
