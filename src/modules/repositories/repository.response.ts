import { Shown } from '#platform/http/answer-fields';
import type { RepositoryRow } from '#projections/repository/repository.entity';

/** Space of a repository, and when it was read. */
export class StorageInfoResponse {
  @Shown.text('which repository') repository_id: string;
  @Shown.whole('size of its filesystem, in bytes') total_bytes: number;
  @Shown.whole('what is used of it, in bytes') used_bytes: number;
  @Shown.whole('what OMA may still write, in bytes') available_bytes: number;
  @Shown.number('the used share, from 0 to 100') used_percent: number;
  @Shown.whole('completed backups') backup_count: number;
  @Shown.moment('when it was read') last_check_at: string;
}

export class RepositoryConfigResponse {
  @Shown.text('its directory') path: string;
}

/** The contract's repository (contract-c 2.2). */
export class RepositoryResponse {
  @Shown.text('its id') id: string;
  @Shown.text('its name') name: string;
  @Shown.text('what it is; "local" is a directory') type: string;
  @Shown.flag('whether backups may be written to it') enabled: boolean;
  @Shown.flag('whether nothing in it can be changed') is_immutable: boolean;
  @Shown.nested(RepositoryConfigResponse, 'where it is') config: RepositoryConfigResponse;
  @Shown.whole('for how many days backups are kept at least') min_retention_days: number;
  @Shown.whole('of all jobs together; null is no limit', { nullable: true })
  bandwidth_limit_bytes_per_second: number | null;
  @Shown.nested(StorageInfoResponse, "its space; left out when the storage doesn't answer", { optional: true })
  storage_info?: StorageInfoResponse;
  @Shown.moment('when it was created') created_at: string;
  @Shown.moment('when it was changed last') updated_at: string;
}

export function repositoryResponse(row: RepositoryRow, storage: StorageInfoResponse | null): RepositoryResponse {
  return {
    id: row.repositoryId,
    name: row.name,
    type: row.type,
    enabled: row.enabled,
    is_immutable: row.isImmutable,
    config: { path: row.path },
    min_retention_days: row.minRetentionDays,
    bandwidth_limit_bytes_per_second: row.bandwidthBytesPerSecond,
    ...(storage !== null && { storage_info: storage }),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
