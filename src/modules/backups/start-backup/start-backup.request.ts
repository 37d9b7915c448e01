import type { AskedType } from '#domain/backup/disk-mode';
import { OneOf, Tags, Text, Whole } from '#platform/http/fields';

const MAX_DISK = 65_535;
/** Slower than this, one request of an agent takes minutes and looks like a standstill. */
const MIN_BANDWIDTH = 65_536;

export class StartBackupRequest {
  @Text({ about: 'the VM by name, VMware id or context id', max: 1024, example: 'web-01' })
  readonly vm_name: string;

  @OneOf({
    about: '`full`; `incremental`, refused where it is not possible; `auto`: an increment wherever it is possible',
    of: ['full', 'incremental', 'auto'],
  })
  readonly backup_type: AskedType;

  @Text({ about: 'where to', max: 128 })
  readonly repository_id: string;

  @Whole({ about: 'only this disk; all disks of the VM by default', min: 0, max: MAX_DISK, optional: true })
  readonly disk_id?: number;

  @Whole({
    about: 'how much of the network the job may use, in bytes per second; no limit by default',
    min: MIN_BANDWIDTH,
    max: Number.MAX_SAFE_INTEGER,
    optional: true,
  })
  readonly bandwidth_limit_bytes_per_second?: number;

  @Text({ about: 'kept with the backup', max: 128, optional: true })
  readonly policy_id?: string;

  @Tags({ about: 'kept with the backup', optional: true })
  readonly tags?: Record<string, string>;
}
