import { mkdir } from 'node:fs/promises';

import type { RestoreEffects } from '#domain/restore/effects';
import { daemonReady } from '#platform/qemu/nbd-server';
import { EffectError, type EffectContext, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';

import type { MountParts } from './mount-parts.js';
import { isMounted } from './mount-table.js';

type Disk = RestoreEffects['mount.disk'];
type CloseDisk = RestoreEffects['mount.disk.close'];

const READY_SECONDS = 15;

/** Shows the export as a file by nbdfuse. It can be written to: a journal's replay goes through it into the overlay. */
export class DiskExecutor implements EffectExecutor<Disk['args']> {
  readonly kind = 'mount.disk';
  readonly reach = 'machine';

  constructor(private readonly parts: MountParts) {}

  async observe({ mountId }: Disk['args']): Promise<Observation> {
    const folder = this.parts.folder(mountId);
    if (!(await folder.hasTraceOf('disk'))) return { state: 'absent' };
    const daemon = await this.parts.diskProcess(folder);
    const mounted = await isMounted(folder.diskFolder);
    if (daemon !== null && mounted) return { state: 'done', result: { ...daemon } };
    return daemon === null && !mounted ? { state: 'absent' } : { state: 'partial' };
  }

  async execute({ mountId }: Disk['args'], { signal }: EffectContext): Promise<Disk['result']> {
    const folder = this.parts.folder(mountId);
    if (await folder.hasTraceOf('disk')) await this.parts.closeDisk(folder);
    await mkdir(folder.diskFolder, { mode: 0o700 });
    const daemon = await this.parts.runner.spawnDaemon({
      program: 'nbdfuse',
      args: ['-P', folder.nbdfusePidFile, folder.disk, folder.uri],
      logFile: folder.log('nbdfuse'),
    });
    const mounted = () => isMounted(folder.diskFolder);
    if (await daemonReady(this.parts.runner, daemon, mounted, { seconds: READY_SECONDS, signal })) {
      return { pid: daemon.pid, startTicks: daemon.startTicks };
    }
    await this.parts.closeDisk(folder);
    throw new EffectError('transient', {
      code: 'mount-disk-not-started',
      message: 'the disk could not be shown as a file',
      remedy: 'check that nbdfuse works, then mount the backup again',
    });
  }

  async ended(_args: Disk['args'], { pid, startTicks }: Disk['result']): Promise<string | null> {
    return (await this.parts.runner.isAlive({ pid, startTicks }))
      ? null
      : 'the view of the mounted disk ended by itself';
  }
}

export class CloseDiskExecutor implements EffectExecutor<CloseDisk['args']> {
  readonly kind = 'mount.disk.close';
  readonly reach = 'machine';

  constructor(private readonly parts: MountParts) {}

  async observe({ mountId }: CloseDisk['args']): Promise<Observation> {
    const folder = this.parts.folder(mountId);
    const closed = (await this.parts.diskProcess(folder)) === null && !(await isMounted(folder.diskFolder));
    return closed ? { state: 'done', result: {} } : { state: 'partial' };
  }

  async execute({ mountId }: CloseDisk['args']): Promise<CloseDisk['result']> {
    await this.parts.closeDisk(this.parts.folder(mountId));
    return {};
  }
}
