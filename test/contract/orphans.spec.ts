import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Database } from '#platform/database/database';
import { MountFolder } from '#platform/mounts/mount-folder';
import { MountParts } from '#platform/mounts/mount-parts';
import { ExecaProcessRunner } from '#platform/processes/execa.process-runner';
import { NbdExports } from '#platform/qemu/nbd-exports';
import { NbdPorts } from '#platform/qemu/nbd-ports';
import { type Orphan, Orphans } from '#platform/recovery/orphans';
import { findTraces } from '#platform/recovery/traces';

import { freshDatabase } from '../kit/database.js';
import { DiskWorld, kill, run } from '../kit/disk-world.js';
import { eventually } from '../kit/eventually.js';
import { asImage, extDisk, hostileTree } from '../kit/guest-disks.js';
import { Mounting } from '../kit/mounted.js';
import { silentLog } from '../kit/silent-log.js';

const FIRST_PORT = 34_000 + 10 * (process.pid % 2000);

describe('what no job looks after any more', () => {
  let world: DiskWorld;
  let database: Database;
  let drop: () => Promise<void>;
  let nbdExports: NbdExports;
  let mounting: Mounting;
  beforeEach(async () => {
    world = new DiskWorld();
    ({ database, drop } = await freshDatabase());
    nbdExports = exportsIn(world.runDir);
    mounting = new Mounting(world, database);
    mkdirSync(world.path('tree'));
    hostileTree(world.path('tree'));
    extDisk(world.path('disk.raw'), world.path('tree'));
    asImage(world.path('disk.raw'), join(world.root, 'disk.qcow2'));
  });
  afterEach(async () => {
    await world.clear();
    await drop();
  });

  const exportsIn = (runDir: string) =>
    new NbdExports(
      new ExecaProcessRunner(),
      new NbdPorts(database, { first: FIRST_PORT, last: FIRST_PORT + 9 }),
      runDir,
    );
  /** By a later OMA: the processes are not its children. What an export has is not what a mount of that name has. */
  const sweep = (...owned: readonly string[]) => {
    const runner = new ExecaProcessRunner();
    const parts = new MountParts(runner, world.runDir, silentLog);
    const orphans = new Orphans(world.runDir, runner, exportsIn(world.runDir), parts);
    return orphans.sweep((kind, id) => owned.includes(`${kind} ${id}`));
  };
  const pidOf = async (id: string, program: string) => {
    const traces = await findTraces(world.runDir, nbdExports);
    const found = traces.find((one) => one.owner.id === id && one.kind === 'process' && one.program === program);
    if (found?.kind !== 'process') throw new Error(`no ${program} of ${id}`);
    return found.daemon.pid;
  };
  const startExport = async (exportId: string) => {
    const image = join(world.root, `${exportId}.qcow2`);
    run('qemu-img', 'create', '-q', '-f', 'qcow2', image, '16M');
    const { signal } = new AbortController();
    expect(await nbdExports.start(exportId, image, signal)).not.toBeNull();
  };
  /** In no order and without numbers. */
  const told = (orphans: readonly Orphan[]) =>
    Object.fromEntries(
      orphans.map(({ kind, id, found }) => [
        `${kind} ${id}`,
        found.map((what) => what.replace(/ .*\//, ' ').replace(/ \(process \d+\)/, '')).toSorted(),
      ]),
    );

  it('is removed without a trace, and what has an owner lives on', async () => {
    await startExport('kept');
    await startExport('lost');
    await mounting.firstFilesystem('mount-kept', 'disk.qcow2');
    await mounting.firstFilesystem('mount-lost', 'disk.qcow2');
    const owned = ['export kept', 'mount mount-kept'];
    expect(await sweep(...owned, 'export lost', 'mount mount-lost')).toEqual([]);
    const swept = await sweep(...owned, 'mount lost', 'export mount-lost');
    expect(told(swept)).toEqual({
      'export lost': ['folder', 'port', 'qemu-nbd'],
      'mount mount-lost': ['folder', 'fuse2fs', 'mount disk', 'mount fs-1', 'nbdfuse', 'qemu-nbd'],
    });
    expect(swept.flatMap(({ left }) => left)).toEqual([]);
    expect(readdirSync(join(world.runDir, 'mounts'))).toEqual(['mount-kept']);
    expect(readdirSync(join(world.runDir, 'exports'))).toEqual(['kept']);
    expect(await nbdExports.ports.holders()).toEqual(['kept']);
    expect(await world.processes()).toHaveLength(4);
    expect(readdirSync(new MountFolder(world.runDir, 'mount-kept').filesystem(1))).toContain('hello.txt');
    expect(await sweep(...owned)).toEqual([]);
  }, 30_000);

  it('is removed also where it hangs, is read, and lost parts of itself', async () => {
    for (const id of ['hanging', 'read', 'headless']) await mounting.firstFilesystem(id, 'disk.qcow2');
    kill(await pidOf('hanging', 'nbdfuse'), 'SIGSTOP');
    const root = (id: string) => `--root=${new MountFolder(world.runDir, id).filesystem(1)}`;
    const read = 'require("fs").openSync(process.argv[1].slice(7) + "/hello.txt"); setInterval(() => {}, 1000)';
    const stuck = 'require("fs").readFileSync(process.argv[1].slice(7) + "/big.bin")';
    world.runner.pipe({ program: process.execPath, args: ['-e', read, '--', root('read')] });
    world.runner.pipe({ program: process.execPath, args: ['-e', stuck, '--', root('hanging')] });
    kill(await pidOf('headless', 'nbdfuse'));
    await eventually(async () => {
      expect(await pidOf('read', 'node')).toBeGreaterThan(0);
      expect(await pidOf('hanging', 'node')).toBeGreaterThan(0);
      await expect(pidOf('headless', 'nbdfuse')).rejects.toThrow();
    });
    const swept = await sweep();
    expect(Object.keys(told(swept)).toSorted()).toEqual(['mount hanging', 'mount headless', 'mount read']);
    expect(swept.flatMap(({ left }) => left)).toEqual([]);
    expect(await world.processes()).toEqual([]);
    expect(world.mounts()).toEqual([]);
    expect(readdirSync(join(world.runDir, 'mounts'))).toEqual([]);
  }, 60_000);

  it('is only what OMA makes: other programs and other places are left alone', async () => {
    for (const place of ['mounts/lost', 'exports/lost', 'postgres', 'mounts/not an id']) {
      mkdirSync(join(world.runDir, place), { recursive: true });
    }
    writeFileSync(join(world.runDir, 'mounts', 'file'), '');
    symlinkSync(world.root, join(world.runDir, 'mounts', 'link'));
    const programOf = (place: string) => {
      const args = ['-e', 'setInterval(() => {}, 1000)', '--', join(world.runDir, place)];
      return world.runner.pipe({ program: process.execPath, args });
    };
    const others = ['mounts/lost/disk', 'exports/lost/qemu-nbd.log'].map(programOf);
    await eventually(async () => {
      expect(await world.processes()).toHaveLength(2);
    });
    expect(told(await sweep())).toEqual({ 'mount lost': ['folder'], 'export lost': ['folder'] });
    expect(await world.processes()).toHaveLength(2);
    expect(readdirSync(join(world.runDir, 'mounts')).toSorted()).toEqual(['file', 'link', 'not an id']);
    expect(readdirSync(world.runDir)).toContain('postgres');
    expect(readdirSync(world.root)).toContain('disk.qcow2');
    for (const other of others) other.kill();
  });

  it('is said to be left where it could not be removed, and the rest is removed all the same', async () => {
    const stubborn = join(world.runDir, 'mounts', 'stubborn', 'folder', 'with-something-inside');
    mkdirSync(stubborn, { recursive: true });
    mkdirSync(join(world.runDir, 'mounts', 'easy', 'fs-1'), { recursive: true });
    expect(await sweep()).toEqual(
      expect.arrayContaining([
        { kind: 'mount', id: 'stubborn', found: ['folder'], left: ['folder'] },
        { kind: 'mount', id: 'easy', found: ['folder'], left: [] },
      ]),
    );
    expect(existsSync(stubborn)).toBe(true);
  });
});
