import type { RepositoryRow } from '#projections/repository/repository.entity';

/** Space of a repository, read just now. Sizes are bytes. */
export interface StorageInfoResponse {
  repository_id: string;
  total_bytes: number;
  used_bytes: number;
  available_bytes: number;
  used_percent: number;
  /** Completed backups. */
  backup_count: number;
  last_check_at: string;
}

/** The contract's repository (contract-c 2.2); `storage_info` is left out when the storage doesn't answer. */
export interface RepositoryResponse {
  id: string;
  name: string;
  type: string;
  enabled: boolean;
  is_immutable: boolean;
  config: { path: string };
  min_retention_days: number;
  /** Of all jobs together; null is no limit. */
  bandwidth_limit_bytes_per_second: number | null;
  storage_info?: StorageInfoResponse;
  created_at: string;
  updated_at: string;
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
