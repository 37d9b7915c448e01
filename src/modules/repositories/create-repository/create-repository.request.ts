import { Flag, Nested, Text, Whole } from '#platform/http/fields';

const MAX_RETENTION_DAYS = 36_500;
const MIN_BANDWIDTH = 65_536;

export class LocalConfigRequest {
  @Text({ about: 'absolute path of the directory; it is made when it is missing', max: 4096, example: '/srv/backups' })
  readonly path: string;
}

export class CreateRepositoryRequest {
  @Text({ about: 'name, unique without regard to case', max: 255, example: 'main' })
  readonly name: string;

  @Text({ about: '`local`; other types do not exist yet', max: 32, example: 'local' })
  readonly type: string;

  @Nested(() => LocalConfigRequest, { about: 'where it is' })
  readonly config: LocalConfigRequest;

  @Flag({ about: 'true by default; nothing is written to a disabled repository', optional: true })
  readonly enabled: boolean = true;

  @Flag({ about: 'must be false: immutability does not exist yet', optional: true })
  readonly is_immutable: boolean = false;

  @Whole({
    about: 'how much of the network all jobs together may use to write to it, in bytes per second; no limit by default',
    min: MIN_BANDWIDTH,
    max: Number.MAX_SAFE_INTEGER,
    optional: true,
  })
  readonly bandwidth_limit_bytes_per_second?: number;

  @Whole({ about: 'kept with the repository', min: 0, max: MAX_RETENTION_DAYS, optional: true })
  readonly min_retention_days: number = 0;
}
