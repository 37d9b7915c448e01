import { setTimeout as pause } from 'node:timers/promises';

import { oneDiskJobId } from '#domain/backup/agent-job';
import type { BackupEffects, FollowedDisk } from '#domain/backup/effects';
import { DomainError } from '#domain/kernel/domain-error';
import type { Logger } from '#platform/logging/logger.port';
import type { NbdExports } from '#platform/qemu/nbd-exports';
import type { EffectContext, EffectExecutor, Observation } from '#platform/sagas/effect.port';

import { asEffectError, failed, inUserWords } from './agent-failures.js';
import { agentJobs, KNOWS_JOB_WITHIN_SECONDS } from './agent-jobs.js';
import type { Agents } from './agents.js';
import type { BackupProgress } from './backup-progress.js';
import type { CompletionCalls } from './completion-calls.js';
import { Follower, type FollowTimes } from './follow.js';
import type { VcenterCredentials } from './vcenter-credentials.port.js';
import { VmaAway } from './vma.errors.js';
import type { VmaClient } from './vma-client.port.js';

type Check = BackupEffects['agent.check'];
type Start = BackupEffects['agent.start'];
type Follow = BackupEffects['agent.follow'];
type Stop = BackupEffects['agent.stop'];
type Nothing = Record<string, never>;

const MS = 1000;

/** Nothing of a mere question stays behind. */
const ABSENT: Observation = { state: 'absent' };

/** Looks whether there is an agent at all, before anything is made for it. */
class CheckAgentExecutor implements EffectExecutor<Check['args']> {
  readonly kind = 'agent.check';

  constructor(private readonly agents: Agents) {}

  observe(): Promise<Observation> {
    return Promise.resolve(ABSENT);
  }

  execute({ agent }: Check['args'], { signal }: EffectContext): Promise<Check['result']> {
    return inUserWords(() => this.agents.named(agent).client.check(signal));
  }
}

/** Tells the agent which disks to copy where. */
class StartAgentExecutor implements EffectExecutor<Start['args']> {
  readonly kind = 'agent.start';

  constructor(
    private readonly agents: Agents,
    private readonly credentials: VcenterCredentials,
    private readonly nbdExports: NbdExports,
    private readonly times: FollowTimes,
  ) {}

  /**
   * An agent that knows all its jobs was told: its answer may have been lost. One of the first generation doesn't know a job
   * in its first seconds, and told twice it copies twice, one job taking the snapshot of the other away (contract-c 6.2): so
   * after an earlier attempt it gets these seconds.
   */
  observe(args: Start['args'], { signal, attempt }: EffectContext): Promise<Observation> {
    const { awaySeconds } = this.times;
    const patienceMs = args.together || attempt === 1 ? 0 : Math.min(KNOWS_JOB_WITHIN_SECONDS, awaySeconds) * MS;
    return inUserWords(async () => {
      const { client } = this.agents.named(args.agent);
      for (const job of agentJobs(args)) {
        if (!(await this.knows(client, job.id, patienceMs, signal))) return ABSENT;
      }
      return { state: 'done', result: {} };
    });
  }

  private async knows(client: VmaClient, jobId: string, withinMs: number, signal: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      if ((await client.progress(jobId, signal)) !== null) return true;
      if (performance.now() >= deadline) return false;
      await pause(this.times.pollMs, undefined, { signal });
    }
  }

  /** Jobs that the agent knows already stay as they are. */
  execute(args: Start['args'], { signal }: EffectContext): Promise<Nothing> {
    return inUserWords(async () => {
      const { client } = this.agents.named(args.agent);
      const { vmName, vmPath } = args;
      const account = await this.credentials.open(args.credentialId);
      for (const job of agentJobs(args)) {
        const disks = await Promise.all(job.disks.map((disk) => this.target(disk, args)));
        await client.startBackup({ jobId: job.id, vmName, vmPath, account, disks }, signal);
      }
      return {};
    });
  }

  private async target({ deviceKey, sizeBytes, baseChangeId }: FollowedDisk, { disks }: Start['args']) {
    const exportId = disks.find((disk) => disk.deviceKey === deviceKey)?.exportId ?? '';
    return { deviceKey, sizeBytes, baseChangeId, nbdUrl: await this.urlOf(exportId) };
  }

  private async urlOf(exportId: string): Promise<string> {
    const address = await this.nbdExports.address(exportId);
    if (address === null) {
      throw failed('export-gone', 'the export of a disk is not open any more', 'start the backup again');
    }
    return `nbd://127.0.0.1:${address.port}/${address.exportName}`;
  }
}

/** Follows the copy to its end. Each has an export open, so where there are ports for its exports there is a place to follow it. */
class FollowAgentExecutor implements EffectExecutor<Follow['args']> {
  readonly kind = 'agent.follow';

  constructor(
    private readonly agents: Agents,
    private readonly progress: BackupProgress,
    private readonly calls: CompletionCalls,
    private readonly credentials: VcenterCredentials,
    private readonly logger: Logger,
    private readonly times: FollowTimes,
    readonly ownPlaces: number,
  ) {}

  observe(): Promise<Observation> {
    return Promise.resolve(ABSENT);
  }

  execute(args: Follow['args'], { signal }: EffectContext): Promise<Follow['result']> {
    const { client } = this.agents.named(args.agent);
    const { progress, calls, credentials, logger, times } = this;
    return new Follower(client, progress, calls, credentials, logger, args, times).run(signal);
  }
}

/**
 * Tells the agent to give up. The exports have ended by then, so it writes nothing any more if it can't be told; but its
 * snapshot may be left, so an agent that is away is tried again and then named.
 */
class StopAgentExecutor implements EffectExecutor<Stop['args']> {
  readonly kind = 'agent.stop';

  constructor(
    private readonly agents: Agents,
    private readonly logger: Logger,
  ) {}

  observe(): Promise<Observation> {
    return Promise.resolve(ABSENT);
  }

  async execute({ agent, jobId, diskIds }: Stop['args'], { signal, correlationId }: EffectContext): Promise<Nothing> {
    for (const id of [jobId, ...diskIds.map((diskId) => oneDiskJobId(jobId, diskId))]) {
      try {
        await this.agents.named(agent).client.stopBackup(id, signal);
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        // Its words may echo what it was sent.
        this.logger.warn(
          { code: error.code, jobId: id, correlationId },
          'the agent could not be told to give up a job',
        );
        if (error instanceof VmaAway) throw asEffectError(error);
      }
    }
    return {};
  }
}

/** What the effect worker needs of this area. */
export function agentExecutors(deps: {
  readonly agents: Agents;
  readonly credentials: VcenterCredentials;
  readonly nbdExports: NbdExports;
  readonly progress: BackupProgress;
  readonly calls: CompletionCalls;
  readonly logger: Logger;
  readonly times: FollowTimes;
}): EffectExecutor[] {
  const { agents, credentials, nbdExports, progress, calls, logger, times } = deps;
  const ports = nbdExports.ports.count;
  return [
    new CheckAgentExecutor(agents),
    new StartAgentExecutor(agents, credentials, nbdExports, times),
    new FollowAgentExecutor(agents, progress, calls, credentials, logger, times, ports),
    new StopAgentExecutor(agents, logger),
  ];
}
