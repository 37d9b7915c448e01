import { Shown } from '#platform/http/answer-fields';
import type { MountRow } from '#projections/restore/mount.entity';

const STATUSES = ['mounting', 'mounted', 'unmounting', 'unmounted', 'failed'] as const;
const STATES = ['mounted', 'unreadable'] as const;

export class PartitionResponse {
  @Shown.whole('its number; 0 when the disk has no table') number: number;
  @Shown.whole('in bytes') size_bytes: number;
  @Shown.text('what is in it', { nullable: true }) filesystem: string | null;
  @Shown.text('its name', { nullable: true }) label: string | null;
  @Shown.text('its id', { nullable: true }) uuid: string | null;
  @Shown.oneOf(STATES, 'whether it can be read') state: (typeof STATES)[number];
  @Shown.text("why it can't be read", { optional: true }) reason?: string;
  @Shown.flag('true when the journal was replayed into a throwaway layer, since the guest had not been shut down', {
    optional: true,
  })
  replayed_journal?: boolean;
}

/** The contract's mount (contract-c 4.1), with its partitions beside it. */
export class MountResponse {
  @Shown.text('its id, which is also that of its job') mount_id: string;
  @Shown.text('which backup') backup_id: string;
  @Shown.whole('which disk of the VM') disk_id: number;
  @Shown.text('how the VM was called') vm_name: string;
  @Shown.text('of the first partition that could be opened; empty when none is') filesystem_type: string;
  @Shown.oneOf(STATUSES, 'how it is') status: string;
  @Shown.list(PartitionResponse, 'what the disk has') partitions: readonly PartitionResponse[];
  @Shown.text('why it failed, for programs', { optional: true }) error_code?: string;
  @Shown.text('why it failed, for people', { optional: true }) error_message?: string;
  @Shown.moment('when it was asked for') created_at: string;
  @Shown.moment('when it closes by itself if nobody reads from it', { nullable: true }) expires_at: string | null;
  @Shown.moment('when it was closed', { nullable: true }) closed_at: string | null;
}

export class MountsResponse {
  @Shown.list(MountResponse, 'newest first') mounts: readonly MountResponse[];
  @Shown.whole('how many there are on all pages') count: number;
  @Shown.text('cursor of the next page; null on the last', { nullable: true }) next_cursor: string | null;
}

export class UnmountResponse {
  @Shown.text('the same in words') message: string;
  @Shown.text('which mount') mount_id: string;
  @Shown.oneOf(STATUSES, 'how it is now') status: string;
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
