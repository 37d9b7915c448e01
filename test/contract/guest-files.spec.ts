import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { FolderTooLarge, MountDoesNotAnswer, PathNotFoundInGuest, PathRefused } from '#domain/restore/mount.errors';
import type { Database } from '#platform/database/database';
import type { GuestPlace } from '#platform/filesystems/guest-files.port';
import { ProcessGuestFiles } from '#platform/filesystems/process.guest-files';
import { MountFolder } from '#platform/mounts/mount-folder';
import { isMounted } from '#platform/mounts/mount-table';
import { ExecaProcessRunner } from '#platform/processes/execa.process-runner';
import { ProgramOutputTooLarge } from '#platform/processes/process-runner.port';
import { processesWithArgument } from '#platform/processes/process-table';

import { freshDatabase } from '../kit/database.js';
import { DiskWorld, kill } from '../kit/disk-world.js';
import { eventually } from '../kit/eventually.js';
import { asImage, extDisk, hostileTree, MIB } from '../kit/guest-disks.js';
import { Mounting } from '../kit/mounted.js';

const MOUNT = 'mount-1';
const TIMES = { answerSeconds: 3, stalledSeconds: 2 };
/** Larger than all that is read ahead between a disk and its reader. */
const HUGE_BYTES = 48 * MIB;

describe("a guest's files", () => {
  let world: DiskWorld;
  let database: Database;
  let drop: () => Promise<void>;
  let mounting: Mounting;
  let files: ProcessGuestFiles;
  let tree: string;
  beforeAll(async () => {
    world = new DiskWorld();
    ({ database, drop } = await freshDatabase());
    mounting = new Mounting(world, database);
    tree = world.path('tree');
    mkdirSync(tree);
    hostileTree(tree);
    mkdirSync(join(tree, ...deep()), { recursive: true });
    writeFileSync(join(tree, ...deep(), 'bottom'), 'bottom');
    writeFileSync(join(tree, 'Grüße 🙂.txt'), 'unicode');
    writeFileSync(join(tree, '%2e%2e'), 'a name like any other');
    writeFileSync(join(tree, 'nothing'), '');
    writeFileSync(join(tree, 'huge.bin'), Buffer.alloc(HUGE_BYTES, 'huge'));
    extDisk(world.path('disk.raw'), tree, { sizeMib: 160 });
    asImage(world.path('disk.raw'), join(world.root, 'disk.qcow2'));
    files = new ProcessGuestFiles(world.runner, mounting.access, mountPoint, TIMES);
    await mounting.firstFilesystem(MOUNT, 'disk.qcow2');
  }, 60_000);
  afterAll(async () => {
    await world.clear();
    await drop();
  });

  const deep = () => Array.from({ length: 30 }, (_, level) => `level-${level}-${'x'.repeat(100)}`);
  const mountPoint = ({ mountId, partition }: GuestPlace) =>
    new MountFolder(world.runDir, mountId).filesystem(partition);
  const place = (mountId = MOUNT) => ({ mountId, partition: 1 });
  const at = (path: string) => Buffer.from(path);
  const content = async (path: string | Buffer, range?: { start: number; end: number }) =>
    buffer(await files.open(place(), Buffer.from(path), range));
  const idle = async (mountId = MOUNT) => {
    const [row] = await database.query<{ open_reads: number; seconds: number }>(
      `select open_reads, extract(epoch from now() - last_accessed_at)::float8 as seconds
         from restore_access where mount_id = $1`,
      [mountId],
    );
    return row;
  };
  const readers = (mountId = MOUNT) =>
    processesWithArgument((argument) => argument === `--root=${mountPoint(place(mountId))}`);
  const daemon = async (program: string, mountId: string) => {
    const folder = new MountFolder(world.runDir, mountId).path;
    const found = await processesWithArgument((argument) => argument.includes(folder));
    const one = found.find(({ args }) => args[0] === program);
    if (one === undefined) throw new Error(`no ${program} runs`);
    return one.pid;
  };

  it('are listed with what is known of each, whatever its name', async () => {
    const listed = await files.list(place(), at('/'));
    const byName = new Map(listed.map((entry) => [entry.name.toString('latin1'), entry]));
    const expected = readdirSync(Buffer.from(tree), { encoding: 'buffer' }).map((name) => name.toString('latin1'));
    expect([...byName.keys()].toSorted()).toEqual([...expected, 'device', 'lost+found'].toSorted());
    const { mtimeMs, uid, gid } = statSync(join(tree, 'hello.txt'));
    expect(byName.get('hello.txt')).toMatchObject({
      type: 'file',
      size: 6,
      mode: 0o100640,
      uid,
      gid,
      linkTarget: null,
    });
    expect(byName.get('hello.txt')?.mtimeMs).toBeCloseTo(mtimeMs, -4);
    expect(byName.get('documents')?.type).toBe('directory');
    expect(byName.get('fifo')?.type).toBe('fifo');
    expect(byName.get('device')?.type).toBe('block');
    expect(byName.get('a\xffb')?.type).toBe('file');
    const target = (name: string) => byName.get(name)?.linkTarget?.toString();
    expect(target('passwd-link')).toBe('/etc/passwd');
    expect(target('dangling')).toBe('nowhere');
    expect(await files.list(place(), at('/empty'))).toEqual([]);
  });

  it('are read whole, byte by byte', async () => {
    expect((await content('/hello.txt')).toString()).toBe('hello\n');
    expect((await content(Buffer.from([0x61, 0xff, 0x62]))).toString()).toBe('not UTF-8');
    expect((await content('/two\nlines')).toString()).toBe('newline');
    expect((await content('Grüße 🙂.txt')).toString()).toBe('unicode');
    expect((await content('/nothing')).byteLength).toBe(0);
    for (const name of ['big.bin', 'sparse.bin']) {
      expect((await content(name)).equals(readFileSync(join(tree, name)))).toBe(true);
    }
    expect((await content([...deep(), 'bottom'].join('/'))).toString()).toBe('bottom');
  });

  it('are read in parts, and not beyond their end', async () => {
    const whole = readFileSync(join(tree, 'big.bin'));
    expect((await content('/big.bin', { start: 0, end: 0 })).equals(whole.subarray(0, 1))).toBe(true);
    const [start, end] = [MIB - 1, 2 * MIB + 1];
    expect((await content('/big.bin', { start, end })).equals(whole.subarray(start, end + 1))).toBe(true);
    await expect(content('/hello.txt', { start: 3, end: 6 })).rejects.toThrow('could not be read to its end');
  });

  it('take a path from the root of their filesystem, with or without its slash', async () => {
    for (const path of ['documents/deep', '/documents//./deep/', './documents/deep/.']) {
      expect((await files.info(place(), at(path))).name.toString()).toBe('deep');
    }
    for (const path of ['/', '', '.', '//']) expect((await files.info(place(), at(path))).type).toBe('directory');
    expect((await content('/%2e%2e')).toString()).toBe('a name like any other');
  });

  it('are not listed where they are more than OMA takes in, and that is said', async () => {
    class Flooded extends ExecaProcessRunner {
      override run(): Promise<never> {
        return Promise.reject(new ProgramOutputTooLarge('it wrote more than 33554432 bytes'));
      }
    }
    const many = new ProcessGuestFiles(new Flooded(), mounting.access, mountPoint, TIMES);
    await expect(many.list(place(), at('/'))).rejects.toThrow(FolderTooLarge);
  });

  it('say of what is not there that it is not there', async () => {
    for (const path of ['/nowhere', '/documents/nowhere/deeper', '/hello.txt/below', '/%2e%2e/etc/passwd']) {
      await expect(files.info(place(), at(path))).rejects.toBeInstanceOf(PathNotFoundInGuest);
      await expect(files.list(place(), at(path))).rejects.toBeInstanceOf(PathNotFoundInGuest);
      await expect(content(path)).rejects.toBeInstanceOf(PathNotFoundInGuest);
    }
  });

  it.each([
    '..',
    '/../etc/passwd',
    '/documents/../../etc/passwd',
    '/documents/..',
    `/${'x'.repeat(256)}`,
    '/hello\0.txt',
  ])('are not looked for at %j', async (path) => {
    await expect(files.info(place(), at(path))).rejects.toBeInstanceOf(PathRefused);
    await expect(files.list(place(), at(path))).rejects.toBeInstanceOf(PathRefused);
    await expect(content(path)).rejects.toBeInstanceOf(PathRefused);
  });

  it.each(['passwd-link', 'etc-link', 'inner-link', 'dangling'])(
    'are not reached through the link %s',
    async (link) => {
      expect((await files.info(place(), at(link))).type).toBe('symlink');
      await expect(content(link)).rejects.toBeInstanceOf(PathRefused);
      await expect(files.list(place(), at(link))).rejects.toBeInstanceOf(PathRefused);
      await expect(files.list(place(), at(`${link}/`))).rejects.toBeInstanceOf(PathRefused);
      await expect(files.info(place(), at(`${link}/passwd`))).rejects.toBeInstanceOf(PathRefused);
      await expect(content(`${link}/passwd`)).rejects.toBeInstanceOf(PathRefused);
    },
  );

  it.each(['fifo', 'device', 'documents'])('are files: %s is refused and not opened', async (name) => {
    const began = performance.now();
    await expect(content(name)).rejects.toBeInstanceOf(PathRefused);
    expect(performance.now() - began).toBeLessThan(TIMES.answerSeconds * 1000);
  });

  it('keep their mount from being idle while they are read, and only so long', async () => {
    await database.query(`update restore_access set last_accessed_at = now() - interval '50 seconds'`);
    await files.info(place(), at('/hello.txt'));
    expect((await idle())?.seconds).toBeLessThan(10);
    const stream = await files.open(place(), at('/huge.bin'));
    expect((await idle())?.open_reads).toBe(1);
    expect(await readers()).toHaveLength(1);
    stream.destroy();
    await eventually(async () => {
      expect((await idle())?.open_reads).toBe(0);
      expect(await readers()).toEqual([]);
    });
    await expect(files.open(place(), at('/fifo'))).rejects.toBeInstanceOf(PathRefused);
    expect((await idle())?.open_reads).toBe(0);
  });

  it('have a mount that is seen also where the run directory is reached by a link', async () => {
    symlinkSync(world.runDir, world.path('link'));
    expect(await isMounted(new MountFolder(world.path('link'), MOUNT).filesystem(1))).toBe(true);
    expect(await isMounted(new MountFolder(world.path('link'), MOUNT).filesystem(2))).toBe(false);
    expect(await isMounted(new MountFolder(world.path('link'), 'nowhere').filesystem(1))).toBe(false);
  });

  it('come no faster than they are wanted', async () => {
    const stream = await files.open(place(), at('/huge.bin'));
    const [reader] = await readers();
    await firstChunk(stream);
    const sent = () => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${reader?.pid}/io`, 'utf8'))?.[1]);
    let before = -1;
    await eventually(() => {
      const now = sent();
      const still = now === before;
      before = now;
      if (!still) throw new Error('it still writes');
    });
    expect(before).toBeLessThan(8 * MIB);
    stream.destroy();
  });

  describe('on a disk that stops answering', () => {
    let broken: string;
    let count = 1;
    const openBroken = async () => {
      broken = `mount-${(count += 1)}`;
      await mounting.firstFilesystem(broken, 'disk.qcow2');
    };
    const closeBroken = async () => {
      for (const kind of ['mount.filesystem.close', 'mount.disk.close', 'mount.export.close', 'mount.overlay.remove']) {
        await mounting.execute(kind, { mountId: broken, partition: 1 });
      }
      expect(readdirSync(join(world.runDir, 'mounts'))).not.toContain(broken);
      expect(await readers(broken)).toEqual([]);
    };
    const failure = async (reading: Promise<unknown>) => {
      const began = performance.now();
      const error = await reading.then(
        () => new Error('it was read'),
        (reason: unknown) => reason,
      );
      return { error, seconds: (performance.now() - began) / 1000 };
    };

    it.each(['fuse2fs', 'nbdfuse', 'qemu-nbd'])(
      'are given up after a while when %s hangs, others are served meanwhile, and the mount can be closed',
      async (program) => {
        await openBroken();
        kill(await daemon(program, broken), 'SIGSTOP');
        const hanging = [
          failure(files.list(place(broken), at('/documents/deep'))),
          failure(files.info(place(broken), at('/documents/deep/deeper'))),
          failure(files.open(place(broken), at('/huge.bin'))),
        ];
        expect((await content('/hello.txt')).toString()).toBe('hello\n');
        for (const { error, seconds } of await Promise.all(hanging)) {
          expect(error).toBeInstanceOf(MountDoesNotAnswer);
          expect(seconds).toBeLessThan(TIMES.answerSeconds + 4);
        }
        await closeBroken();
      },
      60_000,
    );

    it('end in an error when they stop in the middle, never as if they were whole', async () => {
      await openBroken();
      const stream = await files.open(place(broken), at('/huge.bin'));
      const first = await firstChunk(stream);
      kill(await daemon('nbdfuse', broken), 'SIGSTOP');
      const { error, bytes } = await rest(stream, first);
      expect(error).toBeInstanceOf(MountDoesNotAnswer);
      expect(bytes).toBeLessThan(HUGE_BYTES);
      await eventually(async () => {
        expect((await idle(broken))?.open_reads).toBe(0);
      });
      await closeBroken();
    }, 60_000);

    it.each(['nbdfuse', 'fuse2fs'])(
      'end in an error when %s dies while they are read',
      async (program) => {
        await openBroken();
        const stream = await files.open(place(broken), at('/huge.bin'));
        const first = await firstChunk(stream);
        kill(await daemon(program, broken));
        const { error, bytes } = await rest(stream, first);
        expect(error).toMatchObject({ message: 'the file could not be read to its end' });
        expect(bytes).toBeLessThan(HUGE_BYTES);
        await closeBroken();
      },
      60_000,
    );

    it('end in an error when their reader is killed', async () => {
      const stream = await files.open(place(), at('/huge.bin'));
      const first = await firstChunk(stream);
      for (const { pid } of await readers()) kill(pid);
      const { error } = await rest(stream, first);
      expect(error).toMatchObject({ message: 'the file could not be read to its end' });
    });

    it('let go of their mount when OMA is gone that read them', async () => {
      await openBroken();
      const root = mountPoint(place(broken));
      const left = world.runner.pipe({
        program: process.execPath,
        args: ['-e', `process.chdir(process.argv[1].slice(7)); setInterval(() => {}, 1000)`, '--', `--root=${root}`],
      });
      await eventually(async () => {
        expect(await readers(broken)).toHaveLength(1);
      });
      await closeBroken();
      await left.ended;
    }, 60_000);
  });
});

async function firstChunk(stream: Readable): Promise<number> {
  for (;;) {
    const chunk = stream.read() as Buffer | null;
    if (chunk !== null) return chunk.byteLength;
    await new Promise((resolve) => stream.once('readable', resolve));
  }
}

async function rest(stream: Readable, first: number): Promise<{ error: unknown; bytes: number }> {
  let bytes = first;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.byteLength;
    return { error: null, bytes };
  } catch (error) {
    return { error, bytes };
  }
}
