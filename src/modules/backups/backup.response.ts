import { etaSeconds, percentOf, sumOf } from '#projections/backup/copy-progress';
import type { BackupRow } from '#projections/backup/backup.entity';

import { type DiskProgress, diskResponse, type DiskResponse } from './disk.response.js';

/** The contract's backup object (contract-c 5.2), with the disks beside it. Sizes are bytes. */
export interface BackupResponse {
  backup_id: string;
  vm_context_id: string;
  vm_name: string;
  disk_id: number;
  backup_type: string;
  /** What the caller asked for. */
  requested_type: string;
  repository_id: string;
  status: string;
  policy_id?: string;
  file_path?: string;
  bytes_transferred: number;
  total_bytes: number;
  /** The whole disks, or of increments what had changed; what isn't known yet counts as a whole disk. */
  bytes_to_copy: number;
  progress_percent: number;
  /** Bytes per second, despite the name; a moving average over some 15 seconds. */
  transfer_speed_bps: number | null;
  eta_seconds: number | null;
  last_telemetry_at?: string;
  change_id?: string;
  error_message?: string;
  error_code?: string;
  created_at: string;
  started_at?: string;
  completed_at?: string;
  tags: Readonly<Record<string, string>>;
  disks: readonly DiskResponse[];
}

export function backupResponse(row: BackupRow, progress: readonly DiskProgress[]): BackupResponse {
  const disks = row.disks.map((disk) => {
    const seen = progress.find((candidate) => candidate.device_key === disk.device_key);
    return diskResponse(disk, seen, row.status);
  });
  const [only] = disks;
  return {
    backup_id: row.backupId,
    vm_context_id: row.vmContextId,
    vm_name: row.vmName,
    disk_id: only?.disk_id ?? 0,
    backup_type: row.backupType,
    requested_type: row.askedFor,
    repository_id: row.repositoryId,
    status: row.status,
    ...present('policy_id', row.policyId),
    ...(disks.length === 1 ? present('file_path', only?.file_path) : {}),
    total_bytes: row.totalBytes,
    ...progressOf(row, disks, progress),
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

function progressOf(
  { status }: BackupRow,
  disks: readonly DiskResponse[],
  progress: readonly DiskProgress[],
): Pick<
  BackupResponse,
  'bytes_transferred' | 'bytes_to_copy' | 'progress_percent' | 'transfer_speed_bps' | 'eta_seconds'
> {
  const transferred = sumOf(disks, (disk) => disk.bytes_transferred);
  const toCopy = sumOf(disks, (disk) => disk.bytes_to_copy ?? disk.size_bytes);
  const speed = sumOf(disks, (disk) => disk.transfer_speed_bps ?? 0);
  const newest = progress.map(({ updated_at: at }) => at.getTime()).toSorted((one, other) => other - one)[0];
  return {
    bytes_transferred: transferred,
    bytes_to_copy: toCopy,
    progress_percent: percentOf(status, transferred, toCopy),
    transfer_speed_bps: speed > 0 ? speed : null,
    eta_seconds: etaSeconds(toCopy - transferred, speed),
    ...(newest !== undefined && { last_telemetry_at: new Date(newest).toISOString() }),
  };
}

function present<Key extends string, Value>(key: Key, value: Value | null | undefined): Partial<Record<Key, Value>> {
  return value === null || value === undefined ? {} : ({ [key]: value } as Record<Key, Value>);
}
