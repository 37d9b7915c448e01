import { lstat, readFile } from 'node:fs/promises';

import type { BackupEffects } from '#domain/backup/effects';
import { writeDurably } from '#platform/repositories/durable-file';
import { makeFoldersOf, pathBeneath } from '#platform/repositories/path-beneath';
import type { EffectExecutor, Observation } from '#platform/sagas/effect.port';

import { inUserWords } from './failures.js';

type Write = BackupEffects['sidecar.write'];

/** Writes the description that stands beside an image. */
export class WriteSidecarExecutor implements EffectExecutor<Write['args']> {
  readonly kind = 'sidecar.write';

  observe({ root, image, document }: Write['args']): Promise<Observation> {
    return inUserWords(async () => {
      const file = await pathBeneath(root, `${image}.json`);
      const found = await lstat(file).catch(() => null);
      if (found?.isFile() !== true) return { state: 'absent' };
      const same = (await readFile(file, 'utf8')) === document;
      return same ? { state: 'done', result: {} } : { state: 'partial' };
    });
  }

  execute({ root, image, document }: Write['args']): Promise<Write['result']> {
    return inUserWords(async () => {
      const file = await pathBeneath(root, `${image}.json`);
      await makeFoldersOf(root, image);
      await writeDurably(file, document);
      return {};
    });
  }
}
