import { Text, Whole } from '#platform/http/fields';

const MAX_DISK = 65_535;

export class MountBackupRequest {
  @Text({ about: 'a completed backup', max: 128 })
  readonly backup_id: string;

  @Whole({ about: 'which disk of it; the first one by default', min: 0, max: MAX_DISK, optional: true })
  readonly disk_id?: number;
}
