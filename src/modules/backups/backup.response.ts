import type { BackupRow } from '#projections/backup/backup.entity';

/** The contract's backup object (contract-c 5.2), with the disks beside it. Sizes are bytes. */
export interface BackupResponse {
  backup_id: string;
  vm_context_id: string;
  vm_name: string;
  disk_id: number;
  backup_type: string;
  repository_id: string;
  status: string;
  policy_id?: string;
  file_path?: string;
  bytes_transferred: number;
  total_bytes: number;
  progress_percent: number;
  change_id?: string;
  error_message?: string;
  error_code?: string;
  created_at: string;
  started_at?: string;
  completed_at?: string;
  tags: Readonly<Record<string, string>>;
  disks: readonly DiskResponse[];
}

export interface DiskResponse {
  disk_id: number;
  device_key: number;
  size_bytes: number;
  file_path: string;
  file_size_bytes: number | null;
  bytes_transferred: number;
  change_id: string | null;
}

/** The newest that the agent said of one disk of a running backup. */
export interface DiskProgress {
  readonly device_key: number;
  readonly bytes_transferred: number;
}

export function backupResponse(row: BackupRow, progress: readonly DiskProgress[]): BackupResponse {
  const disks = row.disks.map((disk): DiskResponse => {
    const seen = progress.find((candidate) => candidate.device_key === disk.device_key);
    return {
      disk_id: disk.disk_id,
      device_key: disk.device_key,
      size_bytes: disk.size_bytes,
      file_path: disk.image,
      file_size_bytes: disk.file_size_bytes,
      bytes_transferred: disk.bytes_copied ?? seen?.bytes_transferred ?? 0,
      change_id: disk.change_id,
    };
  });
  const [only] = disks;
  const transferred = disks.reduce((sum, disk) => sum + disk.bytes_transferred, 0);
  return {
    backup_id: row.backupId,
    vm_context_id: row.vmContextId,
    vm_name: row.vmName,
    disk_id: only?.disk_id ?? 0,
    backup_type: row.backupType,
    repository_id: row.repositoryId,
    status: row.status,
    ...present('policy_id', row.policyId),
    ...(disks.length === 1 ? present('file_path', only?.file_path) : {}),
    bytes_transferred: transferred,
    total_bytes: row.totalBytes,
    progress_percent: percent(row.status, transferred, row.totalBytes),
    ...(disks.length === 1 ? present('change_id', only?.change_id) : {}),
    ...present('error_message', row.errorMessage),
    ...present('error_code', row.errorCode),
    created_at: row.createdAt.toISOString(),
    ...present('started_at', row.startedAt?.toISOString()),
    ...present('completed_at', row.completedAt?.toISOString()),
    tags: row.tags,
    disks,
  };
}

/** 100 belongs to completed backups alone. */
function percent(status: string, transferred: number, total: number): number {
  if (status === 'completed') return 100;
  return total === 0 ? 0 : Math.min(99, Math.floor((transferred / total) * 100));
}

function present<Key extends string, Value>(key: Key, value: Value | null | undefined): Partial<Record<Key, Value>> {
  return value === null || value === undefined ? {} : ({ [key]: value } as Record<Key, Value>);
}
