import { rename, rm } from 'node:fs/promises';

import type { ImagePlace } from '#domain/kernel/image-place';
import type { RestoreEffects } from '#domain/restore/effects';
import { TooManyMounts } from '#domain/restore/mount.errors';
import type { RestoreAccess } from '#platform/filesystems/restore-access';
import { inUserWords } from '#platform/qemu/failures';
import { type OpenedImage, openImage } from '#platform/qemu/layers';
import { daemonReady, nbdAnswers } from '#platform/qemu/nbd-server';
import { overlayNode } from '#platform/qemu/node-graph';
import { readQcow2Header } from '#platform/qemu/qcow2-header';
import { QemuImg } from '#platform/qemu/qemu-img';
import { EffectError, type EffectContext, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';

import type { MountParts } from './mount-parts.js';

type Overlay = RestoreEffects['mount.overlay'];
type RemoveOverlay = RestoreEffects['mount.overlay.remove'];
type Export = RestoreEffects['mount.export'];
type CloseExport = RestoreEffects['mount.export.close'];

const READY_SECONDS = 15;

/** Makes the mount's folder and the overlay that takes every write in place of the restore point. */
export class OverlayExecutor implements EffectExecutor<Overlay['args']> {
  readonly kind = 'mount.overlay';
  readonly reach = 'machine';

  constructor(
    private readonly parts: MountParts,
    private readonly access: RestoreAccess,
  ) {}

  observe({ mountId, ...place }: Overlay['args']): Promise<Observation> {
    return inUserWords(async () => {
      const folder = this.parts.folder(mountId);
      if (!(await folder.exists())) return { state: 'absent' };
      const { virtualSizeBytes } = (await intactImage(place)).header;
      const overlay = await readQcow2Header(folder.overlay).catch(() => null);
      return overlay?.virtualSizeBytes === virtualSizeBytes ? { state: 'done', result: {} } : { state: 'partial' };
    });
  }

  execute({ mountId, ...place }: Overlay['args'], { signal }: EffectContext): Promise<Overlay['result']> {
    return inUserWords(async () => {
      const folder = this.parts.folder(mountId);
      if (!folder.socketPathFits) {
        throw new EffectError('permanent', {
          code: 'data-directory-too-long',
          message: "the path of OMA's data directory is too long for sockets in it",
          remedy: 'set OMA_DATA_DIR to a shorter path',
        });
      }
      const { virtualSizeBytes } = (await intactImage(place)).header;
      if (!this.parts.makeFolder(folder)) {
        const { code, message, remedy = '' } = new TooManyMounts();
        throw new EffectError('permanent', { code, message, remedy });
      }
      const partial = `${folder.overlay}.part`;
      await rm(partial, { force: true });
      await new QemuImg(this.parts.runner).create(partial, virtualSizeBytes, null, signal);
      // Whole or not there; it is worth nothing after a crash of the machine, so nobody waits for the disk.
      await rename(partial, folder.overlay);
      await this.access.begin(mountId);
      return {};
    });
  }
}

/** Removes the mount's folder; what may still live in it is closed first. */
export class RemoveOverlayExecutor implements EffectExecutor<RemoveOverlay['args']> {
  readonly kind = 'mount.overlay.remove';
  readonly reach = 'machine';

  constructor(
    private readonly parts: MountParts,
    private readonly access: RestoreAccess,
  ) {}

  async observe({ mountId }: RemoveOverlay['args']): Promise<Observation> {
    return (await this.parts.folder(mountId).exists()) ? { state: 'partial' } : { state: 'done', result: {} };
  }

  async execute({ mountId }: RemoveOverlay['args']): Promise<RemoveOverlay['result']> {
    const folder = this.parts.folder(mountId);
    await this.parts.closeAll(folder);
    await this.access.forget(mountId);
    await folder.remove();
    return {};
  }
}

/** Serves the overlay on a unix socket in the mount's folder. */
export class MountExportExecutor implements EffectExecutor<Export['args']> {
  readonly kind = 'mount.export';
  readonly reach = 'machine';

  constructor(private readonly parts: MountParts) {}

  async observe({ mountId }: Export['args'], { signal }: EffectContext): Promise<Observation> {
    const folder = this.parts.folder(mountId);
    const daemon = (await folder.hasTraceOf('export')) ? await this.parts.exportProcess(folder) : null;
    if (daemon === null) return { state: 'absent' };
    const header = await readQcow2Header(folder.overlay).catch(() => null);
    if (header === null) return { state: 'partial' };
    const answers = await nbdAnswers(this.parts.runner, folder.uri, header.virtualSizeBytes, signal);
    return answers ? { state: 'done', result: { ...daemon } } : { state: 'partial' };
  }

  execute({ mountId, ...place }: Export['args'], { signal }: EffectContext): Promise<Export['result']> {
    return inUserWords(async () => {
      const folder = this.parts.folder(mountId);
      if (await folder.hasTraceOf('export')) await this.parts.closeExport(folder);
      const { file, beneath, header } = await intactImage(place);
      await readQcow2Header(folder.overlay);
      const daemon = await this.parts.runner.spawnDaemon({
        program: 'qemu-nbd',
        args: [
          ...['--persistent', '--shared=16', '--export-name=disk', `--socket=${folder.socket}`],
          overlayNode(folder.overlay, file, beneath),
        ],
        logFile: folder.log('qemu-nbd'),
      });
      const answers = () => nbdAnswers(this.parts.runner, folder.uri, header.virtualSizeBytes, signal);
      if (await daemonReady(this.parts.runner, daemon, answers, { seconds: READY_SECONDS, signal })) {
        return { pid: daemon.pid, startTicks: daemon.startTicks };
      }
      await this.parts.closeExport(folder);
      throw new EffectError('transient', {
        code: 'mount-export-not-started',
        message: 'the image could not be opened',
        remedy: 'check that qemu-nbd works and that the repository answers, then mount the backup again',
      });
    });
  }

  async ended(_args: Export['args'], { pid, startTicks }: Export['result']): Promise<string | null> {
    return (await this.parts.runner.isAlive({ pid, startTicks }))
      ? null
      : 'the export of the mounted image ended by itself';
  }
}

export class CloseMountExportExecutor implements EffectExecutor<CloseExport['args']> {
  readonly kind = 'mount.export.close';
  readonly reach = 'machine';

  constructor(private readonly parts: MountParts) {}

  async observe({ mountId }: CloseExport['args']): Promise<Observation> {
    const daemon = await this.parts.exportProcess(this.parts.folder(mountId));
    return daemon === null ? { state: 'done', result: {} } : { state: 'partial' };
  }

  async execute({ mountId }: CloseExport['args']): Promise<CloseExport['result']> {
    await this.parts.closeExport(this.parts.folder(mountId));
    return {};
  }
}

async function intactImage(place: ImagePlace): Promise<OpenedImage> {
  const opened = await openImage(place);
  if (!opened.header.dirty && !opened.header.corrupt) return opened;
  const failure = {
    code: 'image-not-closed',
    message: 'the image of the restore point is not intact',
    remedy: 'verify the backup (POST /api/v1/backup/{backup_id}/verify) and mount an earlier point',
  };
  throw new EffectError('permanent', failure);
}
