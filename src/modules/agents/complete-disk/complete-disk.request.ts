import { ValidateBy } from 'class-validator';

import { isChangeId } from '#domain/backup/change-id';
import { Text, Whole } from '#platform/http/fields';

const MAX_DISK = 65_535;
const MAX_KEY = 999_999_999;

export class CompleteDiskRequest {
  @Text({ about: "VMware's bookmark of the disk at the snapshot", max: 255, example: 'EPOCH/SEQUENCE' })
  @ValidateBy({
    name: 'isChangeId',
    validator: {
      validate: (value) => typeof value === 'string' && isChangeId(value),
      defaultMessage: () => 'must be a change id: sixteen bytes in hexadecimal, a slash and a number',
    },
  })
  readonly change_id: string;

  @Whole({
    about: "the disk by OMA's number; this, device_key, or a job id that names the disk",
    min: 0,
    max: MAX_DISK,
    optional: true,
  })
  readonly disk_id?: number;

  @Whole({ about: "the disk by VMware's key", min: 0, max: MAX_KEY, optional: true })
  readonly device_key?: number;

  @Whole({ about: 'taken, and nothing follows from it', min: 0, max: Number.MAX_SAFE_INTEGER, optional: true })
  readonly bytes_transferred?: number;
}
