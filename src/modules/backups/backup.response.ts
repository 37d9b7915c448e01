import { Shown } from '#platform/http/answer-fields';
import { etaSeconds, percentOf, sumOf } from '#projections/backup/copy-progress';
import type { BackupRow } from '#projections/backup/backup.entity';

import { type DiskProgress, diskResponse, DiskResponse, MODES } from './disk.response.js';

const STATUSES = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const;

/** The contract's backup object (contract-c 5.2), with the disks beside it. Sizes are bytes. */
export class BackupResponse {
  @Shown.text('its id, which is also that of its job') backup_id: string;
  @Shown.text('which VM') vm_context_id: string;
  @Shown.text('how the VM was called') vm_name: string;
  @Shown.whole('of the first disk') disk_id: number;
  @Shown.oneOf(MODES, 'what it became') backup_type: string;
  @Shown.text('what the caller asked for') requested_type: string;
  @Shown.text('where it is kept') repository_id: string;
  @Shown.oneOf(STATUSES, 'how it is') status: string;
  @Shown.text('the policy that it was started by', { optional: true }) policy_id?: string;
  @Shown.text('the image, of backups of one disk', { optional: true }) file_path?: string;
  @Shown.whole('copied so far') bytes_transferred: number;
  @Shown.whole('of the whole disks') total_bytes: number;
  @Shown.whole("the whole disks, or of increments what had changed; what isn't known yet counts as a whole disk")
  bytes_to_copy: number;
  @Shown.whole('100 belongs to what is completed') progress_percent: number;
  @Shown.number('bytes per second, despite the name; a moving average over some 15 seconds', { nullable: true })
  transfer_speed_bps: number | null;
  @Shown.whole('until it is copied at this rate', { nullable: true }) eta_seconds: number | null;
  @Shown.moment('when the agent last told how far it is', { optional: true }) last_telemetry_at?: string;
  @Shown.text('the bookmark of backups of one disk', { optional: true }) change_id?: string;
  @Shown.text('why it failed, for people', { optional: true }) error_message?: string;
  @Shown.text('why it failed, for programs', { optional: true }) error_code?: string;
  @Shown.moment('when it was asked for') created_at: string;
  @Shown.moment('when copying began', { optional: true }) started_at?: string;
  @Shown.moment('when it was over', { optional: true }) completed_at?: string;
  @Shown.map('what the caller gave it') tags: Readonly<Record<string, string>>;
  @Shown.list(DiskResponse, 'the disks that it copies') disks: readonly DiskResponse[];
}

export class BackupsPageResponse {
  @Shown.list(BackupResponse, 'newest first') backups: readonly BackupResponse[];
  @Shown.whole('how many fit the filters') total: number;
  @Shown.text('cursor of the next page; null on the last', { nullable: true }) next_cursor: string | null;
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
