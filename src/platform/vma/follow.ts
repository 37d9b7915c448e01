import type { BackupEffects } from '#domain/backup/effects';
import type { Logger } from '#platform/logging/logger.port';
import { EffectError } from '#platform/sagas/effect.port';

import { type AgentJob, agentJobs, KNOWS_JOB_WITHIN_SECONDS } from './agent-jobs.js';
import { agentFailed, AWAY, failed, RESTARTED } from './agent-failures.js';
import type { BackupProgress, DiskReport } from './backup-progress.js';
import type { CompletionCalls } from './completion-calls.js';
import { without } from './redaction.js';
import type { VcenterCredentials } from './vcenter-credentials.port.js';
import { VmaAway, VmaRefuses } from './vma.errors.js';
import type { AgentProgress, VmaClient } from './vma-client.port.js';

type Follow = BackupEffects['agent.follow'];

/** How patient OMA is with an agent. */
export interface FollowTimes {
  /**
   * An agent with little to copy is done at once: it is asked soon first, and then ever more seldom, up to `pollMs`; and soon
   * again when it has told of a disk, since it is done just after that.
   */
  readonly firstPollMs: number;
  readonly pollMs: number;
  /** So long in a row nobody may answer. */
  readonly awaySeconds: number;
  /** So long no byte may move in the midst of a copy; before its first and after its last one, eight times as long. */
  readonly stalledSeconds: number;
  /** So many answers in a row may be nonsense. */
  readonly nonsenseAnswers: number;
}

export const FOLLOW_TIMES: FollowTimes = {
  firstPollMs: 10,
  pollMs: 500,
  awaySeconds: 30,
  stalledSeconds: 120,
  nonsenseAnswers: 5,
};

const MS = 1000;
const POLL_SHARE = 0.2;

const AROUND_THE_COPY = 8;
/** What several streams have asked for and not been told of yet: four of them, with requests of 32 MiB (contract-c 6.4). */
const IN_FLIGHT_BYTES = 4 * 32 * 1024 * 1024;

/** Follows the jobs of an agent that make up one backup until every disk is copied, and believes only what fits. */
export class Follower {
  private readonly moved = new Map<number, number>();
  /** How many bytes each disk has to move, by the agent's account. */
  private readonly wanted = new Map<number, number>();
  private lastAnswerAt: number;
  private lastMoveAt: number;
  private nonsense = 0;
  private isUnrecorded = false;
  /** Jobs that the agent has told of. */
  private readonly known = new Set<string>();
  private readonly beganAt: number;
  /** The beginning, or when the agent last told of a disk by itself. */
  private eagerAt: number;
  private readonly knowsWithinMs: number;

  constructor(
    private readonly client: VmaClient,
    private readonly progress: BackupProgress,
    private readonly calls: CompletionCalls,
    private readonly credentials: VcenterCredentials,
    private readonly logger: Logger,
    private readonly args: Follow['args'],
    private readonly times: FollowTimes,
  ) {
    this.beganAt = performance.now();
    this.eagerAt = this.beganAt;
    this.lastAnswerAt = this.beganAt;
    this.lastMoveAt = this.beganAt;
    this.knowsWithinMs = Math.min(KNOWS_JOB_WITHIN_SECONDS, times.awaySeconds) * MS;
  }

  /** Throws EffectError, permanent, with the reason; or the signal's reason. */
  async run(signal: AbortSignal): Promise<Follow['result']> {
    const call = this.calls.listen(this.args.jobId);
    try {
      const disks: Follow['result']['disks'][number][] = [];
      let open = agentJobs(this.args);
      for (;;) {
        const still: AgentJob[] = [];
        for (const job of open) {
          const done = await this.look(job, signal);
          if (done === null) still.push(job);
          else disks.push(...done);
        }
        open = still;
        if (open.length === 0) return { disks };
        this.refuseStandstill();
        if (await call.within(this.pollMs(), signal)) this.eagerAt = performance.now();
      }
    } finally {
      call.end();
    }
  }

  /** The end of a copy is noticed late by a share of its time at most, also when the agent doesn't tell of it. */
  private pollMs(): number {
    const share = (performance.now() - this.eagerAt) * POLL_SHARE;
    return Math.min(Math.max(this.times.firstPollMs, share), this.times.pollMs);
  }

  /** What became of the job's disks, once all of them are copied. */
  private async look(job: AgentJob, signal: AbortSignal): Promise<Follow['result']['disks'] | null> {
    signal.throwIfAborted();
    const said = await this.ask(job.id, signal);
    if (said === null) return null;
    for (const one of job.reports(said)) await this.note(one.deviceKey, one.bytesTransferred, one.bytesToCopy);
    if (said.status === 'failed') throw agentFailed(await this.withoutPassword(said.error));
    return said.status === 'completed' ? job.completed(said) : null;
  }

  /** An agent's words may echo what it was sent; words that can't be checked for it are not passed on. */
  private async withoutPassword(words: string | null): Promise<string | null> {
    if (words === null) return null;
    const account = await this.credentials.open(this.args.credentialId).catch(() => null);
    return account === null ? null : without(account.password, words);
  }

  private async ask(agentJobId: string, signal: AbortSignal): Promise<AgentProgress | null> {
    try {
      const said = await this.client.progress(agentJobId, signal);
      this.lastAnswerAt = performance.now();
      this.nonsense = 0;
      if (said !== null) this.known.add(agentJobId);
      else if (this.known.has(agentJobId) || this.lastAnswerAt - this.beganAt > this.knowsWithinMs) {
        throw failed('agent-forgot-job', 'the agent does not know the job any more', RESTARTED);
      }
      return said;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof EffectError) throw error;
      // A refusal in place of an account is as good as silence: what stands between may be restarting.
      if (!(error instanceof VmaAway) && !(error instanceof VmaRefuses)) {
        this.lastAnswerAt = performance.now();
        this.nonsense += 1;
        if (this.nonsense >= this.times.nonsenseAnswers) {
          throw failed('agent-talks-nonsense', "the agent's answers can't be understood", 'check its version');
        }
      }
      return null;
    }
  }

  /** Writes the newest numbers down; also those that stand still, so that the rate sinks. */
  private async note(deviceKey: number, bytesTransferred: number, bytesToCopy: number | null): Promise<void> {
    if (bytesToCopy !== null) this.wanted.set(deviceKey, bytesToCopy);
    if (bytesTransferred > (this.moved.get(deviceKey) ?? 0)) {
      this.moved.set(deviceKey, bytesTransferred);
      this.lastMoveAt = performance.now();
    }
    await this.record(deviceKey, { bytesTransferred, bytesToCopy });
  }

  /** Nothing follows from it: no copy is given up because nobody can be shown how far it is, and no agent is late for that. */
  private async record(deviceKey: number, report: DiskReport): Promise<void> {
    const begun = performance.now();
    const { jobId } = this.args;
    try {
      await this.progress.record(jobId, deviceKey, report);
      this.isUnrecorded = false;
    } catch (error) {
      if (!this.isUnrecorded) this.logger.warn({ error, jobId }, 'the progress of a backup could not be written down');
      this.isUnrecorded = true;
    }
    const spentMs = performance.now() - begun;
    this.lastAnswerAt += spentMs;
    this.lastMoveAt += spentMs;
  }

  private refuseStandstill(): void {
    const now = performance.now();
    if (now - this.lastAnswerAt > this.times.awaySeconds * MS) {
      throw failed('vma-away', `the agent has not answered for ${this.times.awaySeconds} seconds`, AWAY);
    }
    const patienceSeconds = this.patienceSeconds();
    if (now - this.lastMoveAt > patienceSeconds * MS) {
      throw failed('agent-stalled', `the agent has copied nothing for ${Math.round(patienceSeconds)} seconds`, AWAY);
    }
  }

  /** Snapshots are made before the first byte and merged after the last; and a slow export takes its time for each request. */
  private patienceSeconds(): number {
    const { stalledSeconds } = this.times;
    // Orders of earlier builds say nothing of limits.
    const rate = this.args.slowestBytesPerSecond ?? null;
    const slowSeconds = rate === null ? 0 : IN_FLIGHT_BYTES / rate;
    const isInMidst = this.moved.size > 0 && !this.allMoved();
    return (isInMidst ? stalledSeconds : stalledSeconds * AROUND_THE_COPY) + slowSeconds;
  }

  private allMoved(): boolean {
    return this.args.disks.every(({ deviceKey }) => {
      const wanted = this.wanted.get(deviceKey);
      return wanted !== undefined && (this.moved.get(deviceKey) ?? 0) >= wanted;
    });
  }
}
