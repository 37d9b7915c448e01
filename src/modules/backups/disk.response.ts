import { etaSeconds, percentOf } from '#projections/backup/copy-progress';
import type { BackupDisk, Damage } from '#projections/backup/backup.projection';

/** One disk of a backup. Sizes are bytes. */
export interface DiskResponse {
  disk_id: number;
  device_key: number;
  size_bytes: number;
  /** Decided by OMA: `full` with the reason, or `incremental` with the point it stands on. */
  mode: string;
  reason: string | null;
  parent_backup_id: string | null;
  base_change_id: string | null;
  file_path: string;
  file_size_bytes: number | null;
  bytes_transferred: number;
  bytes_to_copy: number | null;
  progress_percent: number;
  transfer_speed_bps: number | null;
  eta_seconds: number | null;
  /** Reports of the agent that came out of order. */
  ignored_reports: number;
  change_id: string | null;
  manifest_sha256: string | null;
  compared_with_source: boolean;
  /** Where the layer is not what its manifest says. */
  damage: Damage | null;
  verified_at: string | null;
}

/** The newest that the agent said of one disk of a running backup. */
export interface DiskProgress {
  readonly device_key: number;
  readonly bytes_transferred: number;
  readonly bytes_to_copy: number | null;
  readonly bytes_per_second: number | null;
  readonly ignored_reports: number;
  readonly updated_at: Date;
}

const UNSEEN = { bytes_transferred: 0, bytes_to_copy: null, bytes_per_second: null, ignored_reports: 0 };

/** The disk as the rows have it, and while it is copied with what the agent said last. */
export function diskResponse(disk: BackupDisk, seen: DiskProgress | undefined, status: string): DiskResponse {
  const newest = seen ?? UNSEEN;
  const transferred = disk.bytes_copied ?? newest.bytes_transferred;
  const toCopy = disk.bytes_to_copy ?? newest.bytes_to_copy ?? (disk.mode === 'full' ? disk.size_bytes : null);
  const rest = (toCopy ?? disk.size_bytes) - transferred;
  const speed = status === 'running' ? newest.bytes_per_second : null;
  return {
    disk_id: disk.disk_id,
    device_key: disk.device_key,
    size_bytes: disk.size_bytes,
    mode: disk.mode,
    reason: disk.reason,
    parent_backup_id: disk.parent_backup_id,
    base_change_id: disk.base_change_id,
    file_path: disk.image,
    file_size_bytes: disk.file_size_bytes,
    bytes_transferred: transferred,
    bytes_to_copy: toCopy,
    progress_percent: percentOf(status, transferred, toCopy ?? disk.size_bytes),
    transfer_speed_bps: speed,
    eta_seconds: speed === null ? null : etaSeconds(rest, speed),
    ignored_reports: newest.ignored_reports,
    change_id: disk.change_id,
    manifest_sha256: disk.manifest_sha256,
    compared_with_source: disk.compared_with_source,
    damage: disk.damage,
    verified_at: disk.verified_at,
  };
}
