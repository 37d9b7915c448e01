import { chmod, lstat, open, rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { BackupEffects } from '#domain/backup/effects';
import { publish } from '#platform/repositories/durable-file';
import { makeFoldersOf, pathBeneath } from '#platform/repositories/path-beneath';
import { requireMarked } from '#platform/repositories/repository-mark';
import { EffectError, type EffectContext, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';

import { inUserWords } from './failures.js';
import { backingNameOf, openImage } from './layers.js';
import type { QemuImg } from './qemu-img.js';

type Create = BackupEffects['image.create'];
type Remove = BackupEffects['image.remove'];
type Check = BackupEffects['image.check'];

/** Makes an empty image under another name first: at its own name it is whole or it isn't there. */
export class CreateImageExecutor implements EffectExecutor<Create['args']> {
  readonly kind = 'image.create';

  constructor(private readonly qemuImg: QemuImg) {}

  observe({ sizeBytes, ...place }: Create['args']): Promise<Observation> {
    return inUserWords(async () => {
      const file = await pathBeneath(place.root, place.image);
      if (!(await exists(file))) return { state: (await exists(partialOf(file))) ? 'partial' : 'absent' };
      const { header } = await openImage(place);
      if (header.virtualSizeBytes === sizeBytes && header.lazyRefcounts) return { state: 'done', result: {} };
      throw new EffectError('permanent', {
        code: 'image-in-the-way',
        message: 'another image already has the place of the new one',
        remedy: 'start the backup again: it gets another place',
      });
    });
  }

  execute({ sizeBytes, ...place }: Create['args'], { signal }: EffectContext): Promise<Create['result']> {
    return inUserWords(async () => {
      const file = await pathBeneath(place.root, place.image);
      await makeFoldersOf(place.root, place.image);
      const partial = partialOf(file);
      await rm(partial, { force: true });
      // Made before qemu-img writes to it, so that nobody else can ever read it.
      await (await open(partial, 'wx', 0o600)).close();
      await this.qemuImg.create(partial, sizeBytes, backingNameOf(place), signal);
      await chmod(partial, 0o600);
      await publish(partial, file);
      const { header } = await openImage(place);
      if (header.virtualSizeBytes !== sizeBytes) throw damaged('image-size', 'the image was made with another size');
      return {};
    });
  }
}

/** Removes an image and what belongs to it. */
export class RemoveImageExecutor implements EffectExecutor<Remove['args']> {
  readonly kind = 'image.remove';

  observe({ root, image }: Remove['args']): Promise<Observation> {
    return inUserWords(async () => {
      const left = await Promise.all(filesOf(await pathBeneath(root, image)).map(exists));
      if (left.some(Boolean)) return { state: 'partial' };
      await requireMarked(root);
      return { state: 'done', result: {} };
    });
  }

  execute({ root, image }: Remove['args']): Promise<Remove['result']> {
    return inUserWords(async () => {
      const file = await pathBeneath(root, image);
      for (const one of filesOf(file)) await rm(one, { force: true });
      await requireMarked(root);
      for (let folder = dirname(file); folder.startsWith(`${root}/`); folder = dirname(folder)) {
        if (!(await removedEmpty(folder))) break;
      }
      return {};
    });
  }
}

/** Looks whether a closed image is what it should be. Never repairs: a repaired image would look like a good one. */
export class CheckImageExecutor implements EffectExecutor<Check['args']> {
  readonly kind = 'image.check';

  constructor(private readonly qemuImg: QemuImg) {}

  /** A look leaves nothing behind that could be found. */
  observe(): Promise<Observation> {
    return Promise.resolve({ state: 'absent' });
  }

  execute({ sizeBytes, ...place }: Check['args'], { signal }: EffectContext): Promise<Check['result']> {
    return inUserWords(async () => {
      const { file, header } = await openImage(place);
      if (header.dirty) throw damaged('image-not-closed', 'the image was not closed cleanly after it was written');
      if (header.corrupt) throw damaged('image-corrupt', 'the image is marked as damaged');
      const info = await this.qemuImg.info(file, signal);
      if (info.dirty || info.backingFile !== header.backingFile)
        throw damaged('image-corrupt', 'the image is not as it was made');
      if (info.virtualSizeBytes !== sizeBytes) {
        throw damaged('image-size', `the image holds ${info.virtualSizeBytes} bytes, the disk has ${sizeBytes}`);
      }
      const { consistent } = await this.qemuImg.check(file, signal);
      if (!consistent) throw damaged('image-corrupt', 'the image is damaged');
      return { virtualSizeBytes: info.virtualSizeBytes, fileSizeBytes: (await lstat(file)).size };
    });
  }
}

function damaged(code: string, message: string): EffectError {
  return new EffectError('permanent', { code, message, remedy: 'take a new full backup' });
}

function partialOf(file: string): string {
  return `${file}.part`;
}

function filesOf(file: string): readonly string[] {
  return [file, `${file}.json`, `${file}.manifest`].flatMap((one) => [one, partialOf(one)]);
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

async function removedEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOENT') return true;
    if (['ENOTEMPTY', 'EEXIST', 'EBUSY'].includes(code)) return false;
    throw error;
  }
}
