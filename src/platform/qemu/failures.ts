import { PathLeavesRoot } from '#platform/repositories/path-beneath';
import { EffectError } from '#platform/sagas/effect.port';

import { ImageRefused } from './qcow2-header.js';

/** Turns what file and image code throws into a failure in the user's words; what it doesn't know goes on as it is. */
function asEffectError(error: unknown): unknown {
  if (error instanceof EffectError) return error;
  if (error instanceof ImageRefused) {
    const remedy = 'take a new full backup, and find out who else writes into the repository';
    return new EffectError('permanent', { code: 'image-refused', message: error.message, remedy }, { cause: error });
  }
  if (error instanceof PathLeavesRoot) {
    const failure = {
      code: 'image-place-refused',
      message: "the image's place is not inside its repository",
      remedy: "look for links in the repository's folder, and find out who made them",
    };
    return new EffectError('permanent', failure, { cause: error });
  }
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT') {
    const failure = {
      code: 'image-missing',
      message: 'the image is not there',
      remedy: 'check that the repository is mounted and whole; else take a new full backup',
    };
    return new EffectError('permanent', failure, { cause: error });
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const failure = {
      code: 'repository-full',
      message: 'the repository has no space left',
      remedy: 'free space in the repository or choose another one',
    };
    return new EffectError('permanent', failure, { cause: error });
  }
  return error;
}

/** Runs `work` and translates what it throws. */
export async function inUserWords<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw asEffectError(error);
  }
}
