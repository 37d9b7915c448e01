import type { BackupEffects } from '#domain/backup/effects';
import { EffectError, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';

import { type LocalRepositoryStorage, RepositoryPathRefused } from './local-repository-storage.port.js';

type Preflight = BackupEffects['repository.preflight'];

/** Looks whether a backup could be written, before a byte of it is. */
class PreflightExecutor implements EffectExecutor<Preflight['args']> {
  readonly kind = 'repository.preflight';

  constructor(private readonly storage: LocalRepositoryStorage) {}

  /** A look leaves nothing behind that could be found. */
  observe(): Promise<Observation> {
    return Promise.resolve({ state: 'absent' });
  }

  async execute({ root, neededBytes }: Preflight['args']): Promise<Preflight['result']> {
    const { availableBytes } = await this.storage.preflight(root).catch((error: unknown) => {
      if (!(error instanceof RepositoryPathRefused)) throw error;
      const failure = {
        code: `repository-${error.fault}`,
        message: `the repository can't be written to: ${error.message}`,
        remedy: 'make the directory available and writable for OMA, then start again',
      };
      throw new EffectError('permanent', failure, { cause: error });
    });
    if (availableBytes < neededBytes) {
      throw new EffectError('permanent', {
        code: 'repository-full',
        message: `the repository has ${availableBytes} bytes available, ${neededBytes} are needed`,
        remedy: 'free space in the repository or choose another one',
      });
    }
    return { availableBytes };
  }
}

/** What the effect worker needs of this area. */
export function repositoryExecutors(storage: LocalRepositoryStorage): EffectExecutor[] {
  return [new PreflightExecutor(storage)];
}
