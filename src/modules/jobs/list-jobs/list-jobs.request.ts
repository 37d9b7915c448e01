import { OneOf, Text } from '#platform/http/fields';
import { PageRequest } from '#platform/http/paging';

export const JOB_TYPES = ['backup', 'restore_mount', 'verification'] as const;
export const JOB_STATUSES = ['running', 'completed', 'failed', 'cancelled'] as const;

export class ListJobsRequest extends PageRequest {
  @OneOf({ about: 'only of this kind', of: JOB_TYPES, optional: true })
  readonly job_type?: string;

  @OneOf({ about: 'only in this state', of: JOB_STATUSES, optional: true })
  readonly status?: string;

  @Text({ about: 'only of this VM', max: 128, optional: true })
  readonly vm_context_id?: string;
}
