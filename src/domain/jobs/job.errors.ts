import { DomainError } from '../kernel/domain-error.js';

export class UnknownJob extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-job';
  constructor(jobId: string) {
    super(`there is no job ${jobId}`, 'GET /api/v1/jobs shows the jobs there are', { job_id: jobId });
  }
}
