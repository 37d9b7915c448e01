import type { MountRow } from '#projections/restore/mount.entity';

/** The contract's mount (contract-c 4.1), with its partitions beside it. */
export interface MountResponse {
  mount_id: string;
  backup_id: string;
  disk_id: number;
  vm_name: string;
  /** Of the first partition that could be opened; empty when none is. */
  filesystem_type: string;
  status: string;
  partitions: readonly PartitionResponse[];
  error_code?: string;
  error_message?: string;
  created_at: string;
  /** When it closes by itself if nobody reads from it. */
  expires_at: string | null;
  closed_at: string | null;
}

export interface PartitionResponse {
  number: number;
  size_bytes: number;
  filesystem: string | null;
  label: string | null;
  uuid: string | null;
  state: 'mounted' | 'unreadable';
  /** Why it can't be read. */
  reason?: string;
  /** True when the journal was replayed into a throwaway layer first, since the guest had not been shut down. */
  replayed_journal?: boolean;
}

const MS_PER_SECOND = 1000;

/** `idleSeconds` since somebody last read from it; null when it isn't open. */
export function mountResponse(row: MountRow, idleSeconds: number | null, now: Date): MountResponse {
  const first = row.partitions.find((partition) => partition.state === 'mounted');
  const leftMs = idleSeconds === null ? null : Math.max(0, row.idleSeconds - idleSeconds) * MS_PER_SECOND;
  return {
    mount_id: row.mountId,
    backup_id: row.backupId,
    disk_id: row.diskId,
    vm_name: row.vmName,
    filesystem_type: first?.filesystem ?? '',
    status: row.status,
    partitions: row.partitions.map((partition) => ({
      number: partition.number,
      size_bytes: partition.sizeBytes,
      filesystem: partition.filesystem,
      label: partition.label,
      uuid: partition.uuid,
      state: partition.state,
      ...(partition.state === 'unreadable'
        ? { reason: partition.reason }
        : { replayed_journal: partition.replayedJournal }),
    })),
    ...(row.errorCode !== null && { error_code: row.errorCode, error_message: row.errorMessage ?? '' }),
    created_at: row.createdAt.toISOString(),
    expires_at: leftMs === null ? null : new Date(now.getTime() + leftMs).toISOString(),
    closed_at: row.closedAt?.toISOString() ?? null,
  };
}
