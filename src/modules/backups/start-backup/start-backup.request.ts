import { OneOf, Tags, Text, Whole } from '#platform/http/fields';

const MAX_DISK = 65_535;

export class StartBackupRequest {
  @Text({ about: 'the VM by name, VMware id or context id', max: 1024, example: 'web-01' })
  readonly vm_name: string;

  @OneOf({ about: '`full`; incremental backups do not exist yet', of: ['full', 'incremental'] })
  readonly backup_type: 'full' | 'incremental';

  @Text({ about: 'where to', max: 128 })
  readonly repository_id: string;

  @Whole({ about: 'only this disk; all disks of the VM by default', min: 0, max: MAX_DISK, optional: true })
  readonly disk_id?: number;

  @Text({ about: 'kept with the backup', max: 128, optional: true })
  readonly policy_id?: string;

  @Tags({ about: 'kept with the backup', optional: true })
  readonly tags?: Record<string, string>;
}
