import { oneDiskJobId } from '#domain/backup/agent-job';
import { isChangeId } from '#domain/backup/change-id';
import type { BackupEffects, FollowedDisk } from '#domain/backup/effects';

import { lied } from './agent-failures.js';
import type { AgentProgress } from './vma-client.port.js';

type CopiedDisk = BackupEffects['agent.follow']['result']['disks'][number];

/** Agents of the first generation don't know a job in its first seconds (contract-a 17.5). */
export const KNOWS_JOB_WITHIN_SECONDS = 10;

/** How far a disk is, by the agent's account. */
export interface DiskAccount {
  readonly deviceKey: number;
  readonly bytesTransferred: number;
  readonly bytesToCopy: number | null;
}

/** One job as the agent knows it, and how its account is read. */
export interface AgentJob {
  readonly id: string;
  readonly disks: readonly FollowedDisk[];
  /** Throws EffectError when the account can't be true. */
  reports(said: AgentProgress): readonly DiskAccount[];
  /** Throws EffectError when it says that it is done and isn't. */
  completed(said: AgentProgress): readonly CopiedDisk[];
}

/** The jobs that an agent has for one backup: one for all disks, or, for agents of the first generation, one per disk. */
export function agentJobs(order: {
  readonly jobId: string;
  readonly together: boolean;
  readonly disks: readonly FollowedDisk[];
}): readonly AgentJob[] {
  if (order.together) return [new WholeJob(order.jobId, order.disks)];
  return order.disks.map((disk) => new OneDiskJob(oneDiskJobId(order.jobId, disk.diskId), disk));
}

/** All disks in one job; of each the agent tells everything. */
class WholeJob implements AgentJob {
  constructor(
    readonly id: string,
    readonly disks: readonly FollowedDisk[],
  ) {}

  reports(said: AgentProgress): readonly DiskAccount[] {
    return this.disks.flatMap(({ deviceKey, sizeBytes }) => {
      const disk = said.disks.find((candidate) => candidate.deviceKey === deviceKey);
      if (disk === undefined) return [];
      if (disk.bytesTransferred > sizeBytes || disk.totalBytes > sizeBytes) {
        const claim = Math.max(disk.bytesTransferred, disk.totalBytes);
        throw lied(`it claims to copy ${claim} bytes of a disk of ${sizeBytes}`);
      }
      return [{ deviceKey, bytesTransferred: disk.bytesTransferred, bytesToCopy: disk.totalBytes }];
    });
  }

  completed(said: AgentProgress): readonly CopiedDisk[] {
    if (said.lastError !== null) throw lied('it says that it is done, and tells of an error');
    return this.disks.map((ordered) => {
      const { deviceKey } = ordered;
      const disk = said.disks.find((candidate) => candidate.deviceKey === deviceKey);
      if (disk === undefined) throw lied(`it says that it is done and doesn't name disk ${deviceKey}`);
      if (disk.failed) throw lied(`it says that it is done, and that disk ${deviceKey} failed`);
      const expected = ordered.baseChangeId === null ? ordered.sizeBytes : disk.totalBytes;
      if (disk.bytesTransferred !== expected || disk.totalBytes !== expected) {
        throw lied(`it says that it is done with ${disk.bytesTransferred} of ${expected} bytes of disk ${deviceKey}`);
      }
      refuseOtherMode(ordered, disk);
      const changeId = disk.changeId !== null && isChangeId(disk.changeId) ? disk.changeId : null;
      return { deviceKey, bytesTransferred: disk.bytesTransferred, bytesToCopy: disk.totalBytes, changeId };
    });
  }
}

/**
 * One disk, copied by an agent whose numbers say little (contract-c 6.6: totals of other disks, rounded, past 100 per cent).
 * They are shown and never taken for proof: that is the completion of the disk, which it reports with the change id.
 */
class OneDiskJob implements AgentJob {
  readonly disks: readonly FollowedDisk[];

  constructor(
    readonly id: string,
    private readonly disk: FollowedDisk,
  ) {
    this.disks = [disk];
  }

  reports(said: AgentProgress): readonly DiskAccount[] {
    const bytes = said.disks[0]?.bytesTransferred ?? said.bytesTransferred ?? 0;
    const { deviceKey, sizeBytes } = this.disk;
    return [{ deviceKey, bytesTransferred: Math.min(bytes, sizeBytes), bytesToCopy: null }];
  }

  completed(): readonly CopiedDisk[] {
    return [{ deviceKey: this.disk.deviceKey, bytesTransferred: null, bytesToCopy: null, changeId: null }];
  }
}

function refuseOtherMode(ordered: FollowedDisk, disk: AgentProgress['disks'][number]): void {
  const mode = ordered.baseChangeId === null ? 'full' : 'incremental';
  if (disk.mode !== mode) throw lied(`it was told to copy disk ${disk.deviceKey} ${mode} and did otherwise`);
  if (disk.baseChangeId !== ordered.baseChangeId) {
    throw lied(`it copied disk ${disk.deviceKey} from another base than it was told`);
  }
}
