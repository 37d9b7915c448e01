import { OneOf, Text } from '#platform/http/fields';
import { PageRequest } from '#platform/http/paging';

export class ListJobsRequest extends PageRequest {
  @OneOf({ about: 'only of this kind', of: ['backup', 'restore_mount', 'verification'], optional: true })
  readonly job_type?: string;

  @OneOf({ about: 'only in this state', of: ['running', 'completed', 'failed', 'cancelled'], optional: true })
  readonly status?: string;

  @Text({ about: 'only of this VM', max: 128, optional: true })
  readonly vm_context_id?: string;
}
