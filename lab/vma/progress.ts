import type { BackupRun, DiskRun } from './backup-run.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const MAX_ETA_SECONDS = 86_400;

/** A run as the agent tells it to those who ask. */
export function progressOf(run: BackupRun): object {
  const now = new Date();
  const elapsedMs = now.getTime() - run.startedAt.getTime();
  const bytes = run.bytesTransferred;
  const mbps = throughput(bytes, elapsedMs);
  const startTime = run.startedAt.toISOString();
  const lastUpdate = now.toISOString();
  return {
    job_id: run.jobId,
    status: run.status,
    sync_type: 'full',
    phase: run.status === 'Queued' ? 'Initializing' : 'Transfer',
    percentage: percent(bytes, run.totalBytes),
    current_operation: run.status === 'Queued' ? 'Initializing' : 'Transferring Data',
    bytes_transferred: bytes,
    total_bytes: run.totalBytes,
    throughput: { current_mbps: mbps, average_mbps: mbps, peak_mbps: mbps, last_update: lastUpdate },
    timing: {
      start_time: startTime,
      last_update: lastUpdate,
      elapsed_ms: elapsedMs,
      phase_start: startTime,
      phase_elapsed_ms: elapsedMs,
      eta_seconds: mbps === 0 ? 0 : Math.min(MAX_ETA_SECONDS, Math.ceil((run.totalBytes - bytes) / MIB / mbps)),
    },
    vm_info: {
      name: run.vm.name,
      path: run.vm.path,
      disk_size_gb: Math.ceil(run.totalBytes / GIB),
      disk_size_bytes: run.totalBytes,
      cbt_enabled: true,
    },
    phases: [{ name: 'Transfer', status: run.status, start_time: startTime, end_time: '', duration_ms: elapsedMs }],
    errors: run.error === null ? [] : [run.error],
    last_error: run.error,
    disk_progresses: run.disks.map((disk) => diskProgress(disk, elapsedMs)),
  };
}

function diskProgress(disk: DiskRun, elapsedMs: number): object {
  const { deviceKey, sizeBytes } = disk.ordered.disk;
  return {
    disk_id: String(deviceKey),
    device_key: deviceKey,
    label: disk.label,
    bytes_transferred: disk.bytesTransferred,
    total_bytes: sizeBytes,
    percent: percent(disk.bytesTransferred, sizeBytes),
    throughput_mbps: throughput(disk.bytesTransferred, elapsedMs),
    status: disk.complete ? 'Completed' : 'Streaming',
    change_id: disk.changeId,
  };
}

function percent(part: number, whole: number): number {
  return Number(((part / whole) * 100).toFixed(2));
}

/** MiB per second, as the agent calls "mbps". */
function throughput(bytes: number, elapsedMs: number): number {
  return elapsedMs === 0 ? 0 : Number((bytes / MIB / (elapsedMs / 1000)).toFixed(2));
}
