import { OneOf, Text } from '#platform/http/fields';
import { PageRequest } from '#platform/http/paging';

export const BACKUP_STATUSES = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const;
export const BACKUP_TYPES = ['full', 'incremental'] as const;

export class ListBackupsRequest extends PageRequest {
  @Text({ about: 'only of this VM', max: 128, optional: true })
  readonly vm_context_id?: string;

  @Text({ about: 'only of this VM, by name, VMware id or context id', optional: true })
  readonly vm_name?: string;

  @Text({ about: 'only in this repository', max: 128, optional: true })
  readonly repository_id?: string;

  @OneOf({ about: 'only in this state', of: BACKUP_STATUSES, optional: true })
  readonly status?: string;

  @OneOf({ about: 'only of this kind', of: BACKUP_TYPES, optional: true })
  readonly backup_type?: string;
}
