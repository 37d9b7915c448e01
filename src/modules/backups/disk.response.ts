import { Shown } from '#platform/http/answer-fields';
import { etaSeconds, percentOf } from '#projections/backup/copy-progress';
import type { BackupDisk } from '#projections/backup/backup.projection';

export const MODES = ['full', 'incremental'] as const;

/** Where a layer is not what its manifest says. */
export class DamageResponse {
  @Shown.text('what is wrong there') reason: string;
  @Shown.whole('where it begins; null when it is no matter of one place', { nullable: true })
  offset_bytes: number | null;
  @Shown.whole('how long it is', { nullable: true }) length_bytes: number | null;
  @Shown.moment('when it was found') found_at: string;
}

/** One disk of a backup. Sizes are bytes. */
export class DiskResponse {
  @Shown.whole('which disk of the VM') disk_id: number;
  @Shown.whole('its key in the vCenter') device_key: number;
  @Shown.whole('of the whole disk') size_bytes: number;
  @Shown.oneOf(MODES, 'decided by OMA: "full" with the reason, or "incremental" with the point it stands on')
  mode: (typeof MODES)[number];
  @Shown.text('why it is copied whole', { nullable: true }) reason: string | null;
  @Shown.text('the point that it stands on', { nullable: true }) parent_backup_id: string | null;
  @Shown.text('since which change id it is copied', { nullable: true }) base_change_id: string | null;
  @Shown.text('its image') file_path: string;
  @Shown.whole('of the image, when it is closed', { nullable: true }) file_size_bytes: number | null;
  @Shown.whole('copied so far') bytes_transferred: number;
  @Shown.whole('the whole disk, or what had changed; null while unknown', { nullable: true })
  bytes_to_copy: number | null;
  @Shown.whole('100 belongs to what is completed') progress_percent: number;
  @Shown.number('bytes per second, despite the name; null when nothing is copied', { nullable: true })
  transfer_speed_bps: number | null;
  @Shown.whole('until it is copied at this rate', { nullable: true }) eta_seconds: number | null;
  @Shown.whole('reports of the agent that came out of order') ignored_reports: number;
  @Shown.text('the bookmark that the next increment begins from', { nullable: true }) change_id: string | null;
  @Shown.text('of its content manifest', { nullable: true }) manifest_sha256: string | null;
  @Shown.flag('whether it was compared with its source') compared_with_source: boolean;
  @Shown.nested(DamageResponse, 'where the layer is not what its manifest says', { nullable: true })
  damage: DamageResponse | null;
  @Shown.moment('when it was last compared with its manifest', { nullable: true }) verified_at: string | null;
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
