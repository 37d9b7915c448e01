import { chmod, lstat, mkdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

/** A path from outside that would leave its root, or passes a link. */
export class PathLeavesRoot extends Error {
  override readonly name = 'PathLeavesRoot';
}

/**
 * The absolute path of `relative` beneath `root`. Throws PathLeavesRoot unless every component is a plain name and every
 * folder on the way that exists is a real folder, not a link.
 */
export async function pathBeneath(root: string, relative: string): Promise<string> {
  const names = plainNames(relative);
  if (!isAbsolute(root)) throw new PathLeavesRoot('a root is an absolute path');
  let at = root;
  for (const name of names) {
    at = join(at, name);
    const found = await lstat(at).catch((error: unknown) => absentOrThrow(error));
    if (found === null) continue;
    if (found.isSymbolicLink()) throw new PathLeavesRoot('a link is in the way');
    if (!found.isDirectory() && at !== join(root, ...names)) throw new PathLeavesRoot('a file is in the way');
  }
  return at;
}

/** Makes the folders of a file beneath `root`, for the owner only. The root itself must be there. */
export async function makeFoldersOf(root: string, relative: string): Promise<void> {
  await pathBeneath(root, relative);
  let at = root;
  for (const name of plainNames(relative).slice(0, -1)) {
    at = join(at, name);
    try {
      await mkdir(at, 0o700);
      await chmod(at, 0o700);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function plainNames(relative: string): readonly string[] {
  const names = relative.split('/');
  const bad = names.some((name) => name === '' || name === '.' || name === '..' || name.includes('\0'));
  if (bad) throw new PathLeavesRoot('not a plain relative path');
  return names;
}

function absentOrThrow(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
  throw error;
}
