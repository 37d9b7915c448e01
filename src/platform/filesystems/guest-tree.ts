import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } = constants;

/** Told to the one who asks, in place of an answer. */
export class Refused extends Error {
  constructor(
    readonly code: 'not-found' | 'refused',
    message: string,
  ) {
    super(message);
  }
}

/** There is no openat in Node: a name in an open folder is reached through that folder's place in /proc. */
export function beneath(folder: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), name]);
}

export function typeOf(stats: Stats): string {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  if (stats.isBlockDevice()) return 'block';
  return 'char';
}

/** What has this name, a link itself and not its target. Throws Refused when nothing has. */
export function look(folder: number, name: Buffer): Stats {
  try {
    return lstatSync(beneath(folder, name));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) throw new Refused('not-found', 'there is no such path');
    throw error;
  }
}

/** Opens what was looked at, and nothing else that may have taken its place. */
export function openSame(folder: number, name: Buffer, seen: Stats, root: Stats, flags = 0): number {
  const fd = openSync(beneath(folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | flags);
  const opened = fstatSync(fd);
  if (opened.dev !== root.dev || opened.ino !== seen.ino || typeOf(opened) !== typeOf(seen)) {
    closeSync(fd);
    throw new Refused('refused', 'the path leads out of the filesystem');
  }
  return fd;
}

/** Goes into a folder that was looked at. */
export function openFolder(folder: number, name: Buffer, seen: Stats, root: Stats): number {
  return openSame(folder, name, seen, root, O_DIRECTORY);
}

/** Goes from an open folder, which is closed, into one of its folders. Links are not followed. */
export function enter(folder: number, name: Buffer, root: Stats): number {
  const seen = look(folder, name);
  if (seen.isSymbolicLink()) throw new Refused('refused', 'a link of the guest is not followed');
  if (!seen.isDirectory()) throw new Refused('not-found', 'there is no such path');
  const entered = openFolder(folder, name, seen, root);
  closeSync(folder);
  return entered;
}

export function linkTarget(folder: number, name: Buffer): Buffer {
  return readlinkSync(beneath(folder, name), { encoding: 'buffer' });
}

/** The filesystem's root, opened. */
export function openRoot(path: string): { readonly folder: number; readonly root: Stats } {
  const folder = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  return { folder, root: fstatSync(folder) };
}

export function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException | null)?.code);
}
