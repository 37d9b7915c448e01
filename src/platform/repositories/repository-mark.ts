import { lstat } from 'node:fs/promises';
import { join } from 'node:path';

import { EffectError } from '#platform/sagas/effect.port';

/** The file that says: this directory is a repository of OMA's, and not the empty place of a disk that isn't mounted. */
export const MARK = '.oma-repository';

/** Whether a directory is marked as a repository. Throws what says nothing about that. */
export async function isMarked(root: string): Promise<boolean> {
  try {
    return (await lstat(join(root, MARK))).isFile();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** Before absence is believed: in a repository that isn't there, everything is absent. Throws EffectError, transient. */
export async function requireMarked(root: string): Promise<void> {
  if (await isMarked(root)) return;
  throw new EffectError('transient', {
    code: 'repository-not-marked',
    message: 'the repository is not there: its directory lacks the mark',
    remedy: 'mount its disk, then try again',
  });
}
