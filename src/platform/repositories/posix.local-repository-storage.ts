import { randomBytes } from 'node:crypto';
import { constants, lstat, mkdir, open, realpath, rm, statfs } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';

import { writeDurably } from './durable-file.js';
import { isMarked, MARK } from './repository-mark.js';
import { type Capacity, LocalRepositoryStorage, RepositoryPathRefused } from './local-repository-storage.port.js';

/** Trees of the system in which a backup has no business; a folder beneath /home, /mnt, /srv, /var/lib … is fine. */
const SYSTEM_TREES = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib32',
  '/lib64',
  '/proc',
  '/run',
  '/sbin',
  '/sys',
  '/usr',
];
const SYSTEM_DIRECTORIES = [
  '/',
  '/home',
  '/media',
  '/mnt',
  '/opt',
  '/root',
  '/srv',
  '/tmp',
  '/var',
  '/var/lib',
  '/var/log',
];

/** Repositories on filesystems that this machine has mounted. */
export class PosixLocalRepositoryStorage extends LocalRepositoryStorage {
  /** `own`: trees in which OMA keeps what it works with, and from which it removes what it doesn't know. */
  constructor(private readonly own: readonly string[] = []) {
    super();
  }

  async prepare(path: string): Promise<string> {
    const wanted = plainAbsolute(path);
    refuseSystemDirectory(wanted);
    // A link on the way must not lead where the plain path may not go; so the real place is looked at before making it.
    const place = await realPlaceOf(wanted);
    refuseSystemDirectory(place);
    await this.refuseOwnDirectory(place);
    try {
      await mkdir(wanted, { recursive: true, mode: 0o700 });
    } catch (error) {
      const notADirectory = ['EEXIST', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
      if (notADirectory)
        throw new RepositoryPathRefused('not-a-directory', 'there is a file in the place of the directory');
      throw new RepositoryPathRefused('not-creatable', 'the directory could not be made', { cause: error });
    }
    const real = await realpath(wanted);
    refuseSystemDirectory(real);
    await probe(real);
    await this.mark(real);
    return real;
  }

  async capacity(path: string): Promise<Capacity> {
    // With a dot behind it only a directory is found: one look instead of two.
    const { bavail, bfree, blocks, bsize } = await statfs(`${path}/.`).catch((cause: unknown) => {
      throw new RepositoryPathRefused('missing', 'the directory is not there', { cause });
    });
    const availableBytes = bavail * bsize;
    const usedBytes = (blocks - bfree) * bsize;
    const share = usedBytes + availableBytes === 0 ? 0 : usedBytes / (usedBytes + availableBytes);
    return {
      totalBytes: blocks * bsize,
      usedBytes,
      availableBytes,
      usedPercent: Math.round(share * 1000) / 10,
    };
  }

  async preflight(path: string): Promise<Capacity> {
    const capacity = await this.capacity(path);
    if (!(await isMarked(path).catch(() => false))) {
      throw new RepositoryPathRefused(
        'not-marked',
        'the directory is not marked as a repository; is its disk mounted?',
      );
    }
    await probe(path);
    return capacity;
  }

  private async refuseOwnDirectory(path: string): Promise<void> {
    const own = await Promise.all(this.own.map(realPlaceOf));
    if (!own.some((tree) => isWithin(path, tree))) return;
    throw new RepositoryPathRefused('own-directory', 'the directory is for the inner works of OMA; choose another one');
  }

  private async mark(path: string): Promise<void> {
    const mark = join(path, MARK);
    if ((await lstat(mark).catch(() => null)) !== null) return;
    await writeDurably(
      mark,
      'This directory is a backup repository of OMA. Without this file OMA writes nothing here.\n',
    );
  }
}

function plainAbsolute(path: string): string {
  if (!isAbsolute(path) || path.includes('\0')) {
    throw new RepositoryPathRefused('not-absolute', 'the path of a repository is absolute');
  }
  const normal = normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

function refuseSystemDirectory(path: string): void {
  const inTree = SYSTEM_TREES.some((tree) => isWithin(path, tree));
  if (inTree || SYSTEM_DIRECTORIES.includes(path)) {
    throw new RepositoryPathRefused(
      'system-directory',
      'the directory belongs to the system; choose a folder of its own',
    );
  }
}

function isWithin(path: string, tree: string): boolean {
  return path === tree || path.startsWith(`${tree}/`);
}

/** Where the path really leads: the deepest part that exists, resolved, and the rest as it is. */
async function realPlaceOf(path: string): Promise<string> {
  const parent = dirname(path);
  try {
    return await realpath(path);
  } catch {
    return parent === path ? path : join(await realPlaceOf(parent), path.slice(parent === '/' ? 1 : parent.length + 1));
  }
}

async function probe(directory: string): Promise<void> {
  const file = join(directory, `.oma-probe-${randomBytes(8).toString('hex')}`);
  try {
    const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      await handle.writeFile('probe');
      await handle.sync();
    } finally {
      await handle.close();
      await rm(file, { force: true });
    }
  } catch (error) {
    throw new RepositoryPathRefused('not-writable', 'the directory does not take files', { cause: error });
  }
}
