import type { BackupEffects } from '#domain/backup/effects';
import { DomainError } from '#domain/kernel/domain-error';
import type { Logger } from '#platform/logging/logger.port';
import type { NbdExports } from '#platform/qemu/nbd-exports';
import { EffectError, type EffectContext, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';

import { inUserWords } from './agent-failures.js';
import type { BackupProgress } from './backup-progress.js';
import { Follower, type FollowTimes } from './follow.js';
import type { VcenterCredentials } from './vcenter-credentials.port.js';
import type { VmaClient } from './vma-client.port.js';

type Start = BackupEffects['agent.start'];
type Follow = BackupEffects['agent.follow'];
type Stop = BackupEffects['agent.stop'];
type Nothing = Record<string, never>;

/** Nothing of a mere question stays behind. */
const ABSENT: Observation = { state: 'absent' };

/** Looks whether there is an agent at all, before anything is made for it. */
class CheckAgentExecutor implements EffectExecutor<Nothing> {
  readonly kind = 'agent.check';

  constructor(private readonly client: VmaClient) {}

  observe(): Promise<Observation> {
    return Promise.resolve(ABSENT);
  }

  execute(_args: Nothing, { signal }: EffectContext): Promise<Nothing> {
    return inUserWords(async () => {
      await this.client.check(signal);
      return {};
    });
  }
}

/** Tells the agent which disks to copy where. */
class StartAgentExecutor implements EffectExecutor<Start['args']> {
  readonly kind = 'agent.start';

  constructor(
    private readonly client: VmaClient,
    private readonly credentials: VcenterCredentials,
    private readonly nbdExports: NbdExports,
  ) {}

  /** An agent that knows the job was told: its answer may have been lost. */
  observe({ jobId }: Start['args'], { signal }: EffectContext): Promise<Observation> {
    return inUserWords(async () => {
      const known = await this.client.progress(jobId, signal);
      return known === null ? ABSENT : { state: 'done', result: {} };
    });
  }

  execute({ jobId, vmName, vmPath, credentialId, disks }: Start['args'], { signal }: EffectContext): Promise<Nothing> {
    return inUserWords(async () => {
      const targets = await Promise.all(
        disks.map(async ({ deviceKey, exportId, sizeBytes }) => ({
          deviceKey,
          sizeBytes,
          nbdUrl: await this.urlOf(exportId),
        })),
      );
      const account = await this.credentials.open(credentialId);
      await this.client.startBackup({ jobId, vmName, vmPath, account, disks: targets }, signal);
      return {};
    });
  }

  private async urlOf(exportId: string): Promise<string> {
    const address = await this.nbdExports.address(exportId);
    if (address === null) {
      throw new EffectError('permanent', { code: 'export-gone', message: 'the export of a disk is not open any more' });
    }
    return `nbd://127.0.0.1:${address.port}/${address.exportName}`;
  }
}

/** Follows the copy to its end. */
class FollowAgentExecutor implements EffectExecutor<Follow['args']> {
  readonly kind = 'agent.follow';

  constructor(
    private readonly client: VmaClient,
    private readonly progress: BackupProgress,
    private readonly credentials: VcenterCredentials,
    private readonly times: FollowTimes,
  ) {}

  observe(): Promise<Observation> {
    return Promise.resolve(ABSENT);
  }

  execute(args: Follow['args'], { signal }: EffectContext): Promise<Follow['result']> {
    return new Follower(this.client, this.progress, this.credentials, args, this.times).run(signal);
  }
}

/** Tells the agent to give up. The exports have ended by then, so it can do no harm if it can't be told. */
class StopAgentExecutor implements EffectExecutor<Stop['args']> {
  readonly kind = 'agent.stop';

  constructor(
    private readonly client: VmaClient,
    private readonly logger: Logger,
  ) {}

  observe(): Promise<Observation> {
    return Promise.resolve(ABSENT);
  }

  async execute({ jobId }: Stop['args'], { signal, correlationId }: EffectContext): Promise<Nothing> {
    try {
      await this.client.stopBackup(jobId, signal);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.logger.warn({ error, jobId, correlationId }, 'the agent could not be told to give up a job');
    }
    return {};
  }
}

/** What the effect worker needs of this area. */
export function agentExecutors(deps: {
  readonly client: VmaClient;
  readonly credentials: VcenterCredentials;
  readonly nbdExports: NbdExports;
  readonly progress: BackupProgress;
  readonly logger: Logger;
  readonly times: FollowTimes;
}): EffectExecutor[] {
  const { client, credentials, nbdExports, progress, logger, times } = deps;
  return [
    new CheckAgentExecutor(client),
    new StartAgentExecutor(client, credentials, nbdExports),
    new FollowAgentExecutor(client, progress, credentials, times),
    new StopAgentExecutor(client, logger),
  ];
}
