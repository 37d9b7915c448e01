import type { BackupRun, DiskRun } from './backup-run.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const MAX_ETA_SECONDS = 86_400;

/** A run as the agent of today tells it; `claimedBytes` is what every disk is said to have, if that is a lie. */
export function progressOf(run: BackupRun, claimedBytes?: number): object {
  const disks = run.disks.map((disk) => ({ disk, counts: countsOf(disk, claimedBytes) }));
  return {
    ...common(run, claimedBytes),
    disk_progresses: disks.map(({ disk, counts }) => ({
      ...diskProgress(run, disk, counts),
      mode: disk.plan?.said.mode ?? disk.ordered.mode,
      base_change_id: disk.plan === null ? disk.ordered.baseChangeId : disk.plan.said.baseChangeId,
      change_id: disk.changeId,
    })),
  };
}

/** The agent of old tells neither how it copies a disk nor the change id. */
export function legacyProgressOf(run: BackupRun): object {
  return { ...common(run), disk_progresses: run.disks.map((disk) => diskProgress(run, disk, countsOf(disk))) };
}

/** How far a disk is said to be. */
export interface DiskCounts {
  readonly bytes: number;
  readonly total: number;
}

export function countsOf(disk: DiskRun, claimedBytes?: number): DiskCounts {
  const { bytesTransferred: bytes, totalBytes: total } = disk;
  if (claimedBytes === undefined) return { bytes, total };
  const share = total === 0 ? 1 : bytes / total;
  return { bytes: Math.floor(claimedBytes * share), total: claimedBytes };
}

function common(run: BackupRun, claimedBytes?: number): object {
  const now = new Date();
  const elapsedMs = now.getTime() - run.startedAt.getTime();
  const counts = run.disks.map((disk) => countsOf(disk, claimedBytes));
  const bytes = counts.reduce((sum, count) => sum + count.bytes, 0);
  const total = counts.reduce((sum, count) => sum + count.total, 0);
  const diskBytes = run.disks.reduce((sum, { ordered }) => sum + ordered.disk.sizeBytes, 0);
  const mbps = throughput(bytes, elapsedMs);
  const startTime = run.startedAt.toISOString();
  const lastUpdate = now.toISOString();
  return {
    job_id: run.jobId,
    status: run.status,
    sync_type: run.disks.some(({ plan }) => plan?.said.mode === 'incremental') ? 'incremental' : 'full',
    phase: run.status === 'Queued' ? 'Initializing' : 'Transfer',
    percentage: percent(bytes, total),
    current_operation: run.status === 'Queued' ? 'Initializing' : 'Transferring Data',
    bytes_transferred: bytes,
    total_bytes: total,
    throughput: { current_mbps: mbps, average_mbps: mbps, peak_mbps: mbps, last_update: lastUpdate },
    timing: {
      start_time: startTime,
      last_update: lastUpdate,
      elapsed_ms: elapsedMs,
      phase_start: startTime,
      phase_elapsed_ms: elapsedMs,
      eta_seconds: mbps === 0 ? 0 : Math.min(MAX_ETA_SECONDS, Math.ceil((total - bytes) / MIB / mbps)),
    },
    vm_info: {
      name: run.vm.name,
      path: run.vm.path,
      disk_size_gb: Math.ceil(diskBytes / GIB),
      disk_size_bytes: diskBytes,
      cbt_enabled: run.disks.every(({ ordered }) => ordered.disk.trackingState(null) !== 'off'),
    },
    phases: [{ name: 'Transfer', status: run.status, start_time: startTime, end_time: '', duration_ms: elapsedMs }],
    errors: run.error === null ? [] : [run.error],
    last_error: run.error,
  };
}

function diskProgress(run: BackupRun, disk: DiskRun, { bytes, total }: DiskCounts): object {
  const { deviceKey } = disk.ordered.disk;
  return {
    disk_id: String(deviceKey),
    device_key: deviceKey,
    label: disk.label,
    bytes_transferred: bytes,
    total_bytes: total,
    percent: percent(bytes, total),
    throughput_mbps: throughput(bytes, Date.now() - run.startedAt.getTime()),
    status: disk.complete ? 'Completed' : 'Streaming',
  };
}

/** Nothing to copy is all of it. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 100 : Number(((part / whole) * 100).toFixed(2));
}

/** MiB per second, as the agent calls "mbps". */
function throughput(bytes: number, elapsedMs: number): number {
  return elapsedMs === 0 ? 0 : Number((bytes / MIB / (elapsedMs / 1000)).toFixed(2));
}
