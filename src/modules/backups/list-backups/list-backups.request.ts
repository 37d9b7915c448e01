import { OneOf, Text } from '#platform/http/fields';
import { PageRequest } from '#platform/http/paging';

export class ListBackupsRequest extends PageRequest {
  @Text({ about: 'only of this VM', max: 128, optional: true })
  readonly vm_context_id?: string;

  @Text({ about: 'only of this VM, by name, VMware id or context id', optional: true })
  readonly vm_name?: string;

  @Text({ about: 'only in this repository', max: 128, optional: true })
  readonly repository_id?: string;

  @OneOf({
    about: 'only in this state',
    of: ['pending', 'running', 'completed', 'failed', 'cancelled'],
    optional: true,
  })
  readonly status?: string;

  @OneOf({ about: 'only of this kind', of: ['full', 'incremental'], optional: true })
  readonly backup_type?: string;
}
