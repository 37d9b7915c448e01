import type { RestoreEffects } from '#domain/restore/effects';
import { readQcow2Header } from '#platform/qemu/qcow2-header';
import { EffectError, type EffectContext, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';

import type { MountParts } from './mount-parts.js';
import { findPartitions } from './partitions.js';

type Inspect = RestoreEffects['mount.inspect'];

/** Looks which partitions a mounted disk has. */
export class InspectExecutor implements EffectExecutor<Inspect['args']> {
  readonly kind = 'mount.inspect';
  readonly reach = 'machine';

  constructor(private readonly parts: MountParts) {}

  /** A look leaves nothing behind that could be found. */
  observe(): Promise<Observation> {
    return Promise.resolve({ state: 'absent' });
  }

  async execute({ mountId }: Inspect['args'], { signal }: EffectContext): Promise<Inspect['result']> {
    const folder = this.parts.folder(mountId);
    if ((await this.parts.diskProcess(folder)) === null) {
      throw new EffectError('transient', {
        code: 'mount-disk-gone',
        message: 'the mounted disk is not there any more',
        remedy: 'mount the backup again',
      });
    }
    const { virtualSizeBytes } = await readQcow2Header(folder.overlay);
    return { partitions: await findPartitions(this.parts.runner, folder.disk, virtualSizeBytes, signal) };
  }
}
