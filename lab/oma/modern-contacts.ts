import type { BackupRun, DiskRun, RunContacts } from '../vma/backup-run.js';
import type { Misbehaviour } from '../vma/misbehaviour.js';
import { countsOf } from '../vma/progress.js';
import { completionsOf } from './completions.js';
import type { OmaDoor } from './oma-door.js';

const TELEMETRY_MS = 1000;

/** Today's agent is told everything by the order. It reports by itself, and goes on whether it is heard or not: OMA asks, too. */
export class ModernContacts implements RunContacts {
  constructor(
    private readonly oma: OmaDoor,
    private readonly misbehaviour: Misbehaviour,
  ) {}

  askBase(): Promise<null> {
    return Promise.resolve(null);
  }

  follow(run: BackupRun): () => void {
    const report = () =>
      void this.oma.tell(`/telemetry/backup/${encodeURIComponent(run.jobId)}`, this.telemetry(run), 1);
    report();
    const timer = setInterval(report, TELEMETRY_MS);
    return () => {
      clearInterval(timer);
      report();
    };
  }

  completed(run: BackupRun, disk: DiskRun): Promise<void> {
    const { changeId, ordered } = disk;
    // A disk that isn't tracked has no change id to hand in.
    if (changeId === null) return Promise.resolve();
    const { settings } = this.misbehaviour;
    const counts = countsOf(disk, settings.lie_about_bytes);
    void this.tellAll(
      run.jobId,
      completionsOf(changeId, settings).map(({ changeId: told, keyShift }) => ({
        device_key: ordered.disk.deviceKey + keyShift,
        change_id: told,
        bytes_transferred: counts.bytes,
      })),
    );
    return Promise.resolve();
  }

  abandon(): void {
    this.oma.abandon();
  }

  private async tellAll(jobId: string, completions: readonly object[]): Promise<void> {
    for (const one of completions) await this.oma.tell(`/backups/${encodeURIComponent(jobId)}/complete`, one);
  }

  private telemetry(run: BackupRun): object {
    const { lie_about_bytes, telemetry_backwards } = this.misbehaviour.settings;
    const disks = run.disks.map((disk) => {
      const { bytes, total } = countsOf(disk, lie_about_bytes);
      return {
        device_key: disk.ordered.disk.deviceKey,
        bytes_transferred: telemetry_backwards === true ? total - bytes : bytes,
        total_bytes: total,
        status: disk.complete ? 'Completed' : 'Streaming',
      };
    });
    return {
      job_id: run.jobId,
      status: run.status,
      bytes_transferred: disks.reduce((sum, disk) => sum + disk.bytes_transferred, 0),
      total_bytes: disks.reduce((sum, disk) => sum + disk.total_bytes, 0),
      disks,
      timestamp: new Date().toISOString(),
    };
  }
}
