import { setTimeout as pause } from 'node:timers/promises';

import type { BackupEffects } from '#domain/backup/effects';
import { EffectError } from '#platform/sagas/effect.port';

import type { BackupProgress } from './backup-progress.js';
import { without } from './redaction.js';
import type { VcenterCredentials } from './vcenter-credentials.port.js';
import { printable, VmaAway } from './vma.errors.js';
import type { AgentProgress, VmaClient } from './vma-client.port.js';

type Follow = BackupEffects['agent.follow'];

/** How patient OMA is with an agent. */
export interface FollowTimes {
  readonly pollMs: number;
  /** So long in a row nobody may answer. */
  readonly awaySeconds: number;
  /** So long no byte may move. */
  readonly stalledSeconds: number;
  /** So many answers in a row may be nonsense. */
  readonly nonsenseAnswers: number;
}

export const FOLLOW_TIMES: FollowTimes = { pollMs: 500, awaySeconds: 30, stalledSeconds: 120, nonsenseAnswers: 5 };

/** vCenter's have blanks in them: `52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81`. */
const CHANGE_ID = /^[\x21-\x7e][\x20-\x7e]{0,254}$/;
const MS = 1000;

/** Follows one job of an agent until every disk is copied, and believes only what fits. */
export class Follower {
  private readonly moved = new Map<number, number>();
  private lastAnswerAt: number;
  private lastMoveAt: number;
  private nonsense = 0;

  constructor(
    private readonly client: VmaClient,
    private readonly progress: BackupProgress,
    private readonly credentials: VcenterCredentials,
    private readonly args: Follow['args'],
    private readonly times: FollowTimes,
  ) {
    this.lastAnswerAt = performance.now();
    this.lastMoveAt = this.lastAnswerAt;
  }

  /** Throws EffectError, permanent, with the reason; or the signal's reason. */
  async run(signal: AbortSignal): Promise<Follow['result']> {
    for (;;) {
      signal.throwIfAborted();
      const said = await this.ask(signal);
      if (said !== null) {
        await this.note(said);
        if (said.status === 'failed') throw agentFailed(await this.withoutPassword(said.error));
        if (said.status === 'completed') return this.completed(said);
      }
      this.refuseStandstill();
      await pause(this.times.pollMs, undefined, { signal });
    }
  }

  /** An agent's words may echo what it was sent; words that can't be checked for it are not passed on. */
  private async withoutPassword(words: string | null): Promise<string | null> {
    if (words === null) return null;
    const account = await this.credentials.open(this.args.credentialId).catch(() => null);
    return account === null ? null : without(account.password, words);
  }

  private async ask(signal: AbortSignal): Promise<AgentProgress | null> {
    try {
      const said = await this.client.progress(this.args.jobId, signal);
      this.lastAnswerAt = performance.now();
      this.nonsense = 0;
      if (said === null) throw failed('agent-forgot-job', 'the agent does not know the job any more', RESTARTED);
      return said;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof EffectError) throw error;
      if (!(error instanceof VmaAway)) {
        this.lastAnswerAt = performance.now();
        this.nonsense += 1;
        if (this.nonsense >= this.times.nonsenseAnswers) {
          throw failed('agent-talks-nonsense', "the agent's answers can't be understood", 'check its version');
        }
      }
      return null;
    }
  }

  /** Writes the newest numbers down; a disk that claims more than it has is a lie. */
  private async note(said: AgentProgress): Promise<void> {
    for (const { deviceKey, sizeBytes } of this.args.disks) {
      const disk = said.disks.find((candidate) => candidate.deviceKey === deviceKey);
      if (disk === undefined) continue;
      if (disk.bytesTransferred > sizeBytes) {
        throw lied(`it claims to have copied ${disk.bytesTransferred} bytes of a disk of ${sizeBytes}`);
      }
      if (disk.bytesTransferred <= (this.moved.get(deviceKey) ?? 0)) continue;
      this.moved.set(deviceKey, disk.bytesTransferred);
      this.lastMoveAt = performance.now();
      await this.progress.record(this.args.jobId, deviceKey, disk.bytesTransferred);
    }
  }

  private completed(said: AgentProgress): Follow['result'] {
    const disks = this.args.disks.map(({ deviceKey, sizeBytes }) => {
      const disk = said.disks.find((candidate) => candidate.deviceKey === deviceKey);
      if (disk === undefined) throw lied(`it says that it is done and doesn't name disk ${deviceKey}`);
      if (disk.bytesTransferred !== sizeBytes) {
        throw lied(`it says that it is done with ${disk.bytesTransferred} of ${sizeBytes} bytes of disk ${deviceKey}`);
      }
      const changeId = disk.changeId !== null && CHANGE_ID.test(disk.changeId) ? disk.changeId : null;
      return { deviceKey, bytesTransferred: disk.bytesTransferred, changeId };
    });
    return { disks };
  }

  private refuseStandstill(): void {
    const now = performance.now();
    if (now - this.lastAnswerAt > this.times.awaySeconds * MS) {
      throw failed('vma-away', `the agent has not answered for ${this.times.awaySeconds} seconds`, AWAY);
    }
    if (now - this.lastMoveAt > this.times.stalledSeconds * MS) {
      throw failed('agent-stalled', `the agent has copied nothing for ${this.times.stalledSeconds} seconds`, AWAY);
    }
  }
}

const AWAY = 'check the VMA and its tunnel, then start the backup again';
const RESTARTED = 'it was probably restarted; start the backup again';

function failed(code: string, message: string, remedy: string): EffectError {
  return new EffectError('permanent', { code, message, remedy });
}

function lied(what: string): EffectError {
  return failed('agent-lied', `the agent's account is not true: ${what}`, 'check its version and its log');
}

function agentFailed(words: string | null): EffectError {
  const why = words === null || printable(words) === '' ? 'it gave no reason' : printable(words);
  return failed('agent-failed', `the agent failed: ${why}`, "look into the agent's log, then start the backup again");
}
