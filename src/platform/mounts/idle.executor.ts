import type { RestoreEffects } from '#domain/restore/effects';
import type { RestoreAccess } from '#platform/filesystems/restore-access';
import type { EffectExecutor, Observation } from '#platform/sagas/effect.port';

type Idle = RestoreEffects['mount.idle'];

/** Asks how long nobody has read from a mount. */
export class IdleExecutor implements EffectExecutor<Idle['args']> {
  readonly kind = 'mount.idle';
  readonly reach = 'anywhere';

  constructor(private readonly access: RestoreAccess) {}

  /** A look leaves nothing behind that could be found. */
  observe(): Promise<Observation> {
    return Promise.resolve({ state: 'absent' });
  }

  async execute({ mountId }: Idle['args']): Promise<Idle['result']> {
    return { idleSeconds: await this.access.idleSeconds(mountId) };
  }
}
