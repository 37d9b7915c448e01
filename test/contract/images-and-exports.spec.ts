import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { JsonObject } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import { ExecaProcessRunner } from '#platform/processes/execa.process-runner';
import { canWriteDirectly } from '#platform/qemu/direct-writing';
import { qemuExecutors } from '#platform/qemu/executors';
import { NbdExports } from '#platform/qemu/nbd-exports';
import { NbdPorts } from '#platform/qemu/nbd-ports';
import { exportedNode } from '#platform/qemu/node-graph';
import { readQcow2Header } from '#platform/qemu/qcow2-header';

import { FOR_ONE_AGENT, oneAgent } from '../kit/one-agent.js';
import { freshDatabase } from '../kit/database.js';
import { DiskWorld, effectContext, kill, run } from '../kit/disk-world.js';
import { eventually } from '../kit/eventually.js';

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
/** Outside of the product's range and of the system's own, and another one for each process that runs tests. */
const FIRST_PORT = 12_000 + 10 * (process.pid % 2000);
/** Every failure says what to do. */
const REMEDY = expect.stringMatching(/\S{3}/);

describe('images and exports', () => {
  let world: DiskWorld;
  let database: Database;
  let drop: () => Promise<void>;
  let nbdExports: NbdExports;
  beforeEach(async () => {
    world = new DiskWorld();
    ({ database, drop } = await freshDatabase());
    nbdExports = exportsOf(new ExecaProcessRunner());
  });
  afterEach(async () => {
    await world.clear();
    await drop();
  });

  const exportsOf = (runner: ExecaProcessRunner) =>
    new NbdExports(runner, new NbdPorts(database, { first: FIRST_PORT, last: FIRST_PORT + 9 }), world.runDir);
  /** As after a restart: the same world, but no process is a child any more. */
  const restarted = () => {
    nbdExports = exportsOf(new ExecaProcessRunner());
  };
  const executor = (kind: string) => {
    const found = qemuExecutors({ runner: new ExecaProcessRunner(), nbdExports, agents: oneAgent }).find(
      (one) => one.kind === kind,
    );
    if (found === undefined) throw new Error(`no executor for ${kind}`);
    return found;
  };
  const observe = (kind: string, args: JsonObject) => executor(kind).observe(args, effectContext());
  const execute = (kind: string, args: JsonObject) => executor(kind).execute(args, effectContext());
  const image = (name = 'vm/disk-2000/point.qcow2') => ({ root: world.root, image: name, layers: [] });
  const file = (name?: string) => join(world.root, image(name).image);
  const opened = (exportId: string, name?: string) => ({ exportId, ...image(name), ...FOR_ONE_AGENT });
  const create = (name?: string) => execute('image.create', { ...image(name), sizeBytes: SIZE });
  const uri = async (exportId: string) => {
    const address = await nbdExports.address(exportId);
    if (address === null) throw new Error('no such export');
    return `nbd://127.0.0.1:${address.port}/${address.exportName}`;
  };
  const write = async (exportId: string, ...commands: string[]) =>
    run('qemu-io', '-f', 'raw', ...commands.flatMap((one) => ['-c', one]), await uri(exportId));
  /** Leaves acknowledged writes in the memory of qemu-nbd, where a kill loses them. */
  const writeWithoutFlush = async (exportId: string) => {
    const client = spawn('qemu-io', ['-f', 'raw', '-t', 'unsafe', await uri(exportId)]);
    client.stdin.write('write -P 7 0 10M\n');
    await eventually(async () => {
      await Promise.resolve();
      expect((client.stdout.read() as Buffer | null)?.toString()).toContain('wrote');
    });
    return client;
  };
  const daemonOf = async (exportId: string) => {
    const daemon = await nbdExports.process(exportId);
    if (daemon === null) throw new Error('no such daemon');
    return daemon;
  };

  describe('creating an image', () => {
    it('makes it at its exact size, for the owner only, and finds it again', async () => {
      const args = { ...image(), sizeBytes: SIZE };
      expect(await observe('image.create', args)).toEqual({ state: 'absent' });
      expect(await execute('image.create', args)).toEqual({});
      expect(await observe('image.create', args)).toEqual({ state: 'done', result: {} });
      expect(await readQcow2Header(file())).toEqual({
        virtualSizeBytes: SIZE,
        backingFile: null,
        dirty: false,
        corrupt: false,
        lazyRefcounts: true,
      });
      expect(statSync(file()).mode & 0o777).toBe(0o600);
      expect(statSync(join(world.root, 'vm/disk-2000')).mode & 0o777).toBe(0o700);
      expect(JSON.parse(run('qemu-img', 'info', '--output=json', file()))).toMatchObject({ 'cluster-size': 65536 });
    });

    it('begins again after a crash in the middle, and may be repeated', async () => {
      mkdirSync(join(world.root, 'vm/disk-2000'), { recursive: true });
      writeFileSync(`${file()}.part`, 'half');
      expect(await observe('image.create', { ...image(), sizeBytes: SIZE })).toEqual({ state: 'partial' });
      await create();
      await create();
      expect(readdirSync(join(world.root, 'vm/disk-2000'))).toEqual(['point.qcow2']);
    });

    it('refuses a place that something else has', async () => {
      await create();
      await expect(observe('image.create', { ...image(), sizeBytes: SIZE * 2 })).rejects.toMatchObject({
        certainty: 'permanent',
        failure: { code: 'image-in-the-way', remedy: REMEDY },
      });
    });

    it.each(['../out.qcow2', '/etc/out.qcow2', 'a/../../out.qcow2', 'a//b', '.', 'link/out.qcow2', 'a\0b'])(
      'never leaves the repository: %j',
      async (name) => {
        symlinkSync(world.folder, join(world.root, 'link'));
        const args = { ...image(name), sizeBytes: SIZE };
        await expect(execute('image.create', args)).rejects.toMatchObject({
          failure: { code: 'image-place-refused', remedy: REMEDY },
        });
        expect(existsSync(world.path('out.qcow2'))).toBe(false);
      },
    );
  });

  describe('removing an image', () => {
    it('takes image, sidecar and empty folders, leaves others, and may be repeated', async () => {
      await create();
      await create('vm/other.qcow2');
      await execute('sidecar.write', { ...image(), document: '{}' });
      expect(await observe('image.remove', image())).toEqual({ state: 'partial' });
      await execute('image.remove', image());
      await execute('image.remove', image());
      expect(await observe('image.remove', image())).toEqual({ state: 'done', result: {} });
      expect(readdirSync(world.root)).toEqual(['.oma-repository', 'vm']);
      expect(readdirSync(join(world.root, 'vm'))).toEqual(['other.qcow2']);
    });
  });

  it('are not taken for removed while their repository is away', async () => {
    await create();
    const away = world.path('away');
    renameSync(world.root, away);
    const failure = { certainty: 'transient', failure: { code: 'repository-not-marked' } };
    await expect(observe('image.remove', image())).rejects.toMatchObject(failure);
    await expect(execute('image.remove', image())).rejects.toMatchObject(failure);
    renameSync(away, world.root);
    expect(await observe('image.remove', image())).toEqual({ state: 'partial' });
  });

  describe('a sidecar', () => {
    it('is written whole, found again, and replaced when it differs', async () => {
      const args = { ...image(), document: '{"a":1}' };
      expect(await observe('sidecar.write', args)).toEqual({ state: 'absent' });
      await execute('sidecar.write', args);
      expect(await observe('sidecar.write', args)).toEqual({ state: 'done', result: {} });
      expect(await observe('sidecar.write', { ...args, document: '{}' })).toEqual({ state: 'partial' });
      expect(readFileSync(`${file()}.json`, 'utf8')).toBe('{"a":1}');
      expect(statSync(`${file()}.json`).mode & 0o777).toBe(0o600);
    });
  });

  describe('an export', () => {
    it('listens on loopback only, takes writes, gives zeroed space back, and finds itself again', async () => {
      await create();
      expect(await observe('export.start', opened('e1'))).toEqual({ state: 'absent' });
      const result = await execute('export.start', opened('e1'));
      expect(result['port']).toBe(FIRST_PORT);
      expect(await observe('export.start', opened('e1'))).toEqual({ state: 'done', result });
      const port = FIRST_PORT.toString(16).toUpperCase().padStart(4, '0');
      expect(readFileSync('/proc/net/tcp', 'utf8')).toContain(`0100007F:${port} 00000000:0000 0A`);
      await write('e1', 'write -P 7 0 10M', 'flush');
      const full = statSync(file()).blocks;
      await write('e1', 'write -P 0 0 8M', 'flush');
      expect(statSync(file()).blocks).toBeLessThan(full / 2);
      expect(await executor('export.start').ended?.(opened('e1'), result)).toBeNull();
    });

    it('takes writes past the page cache, so that what is proven afterwards comes from the disk', async () => {
      await create();
      const { pid } = await execute('export.start', opened('e1'));
      // The tests' own filesystem may be one that can't.
      const direct = (await canWriteDirectly(file())) ? constants.O_DIRECT : 0;
      // qemu-nbd listens before it has the image open.
      await eventually(async () => {
        expect(await openFlags(Number(pid), file())).toContain(constants.O_RDWR | direct);
      });
    });

    it('does without that where the filesystem can not', async () => {
      const ofKernel = '/proc/self/comm';
      expect(await canWriteDirectly(ofKernel)).toBe(false);
      expect(JSON.parse((await exportedNode(ofKernel, [])).replace('json:', ''))).toMatchObject({
        file: { filename: ofKernel, cache: { direct: false } },
      });
      await expect(canWriteDirectly(`${file()}.none`)).rejects.toMatchObject({ code: 'ENOENT' });
    });

    it('is adopted by a later OMA, also when the earlier one could not write its process down', async () => {
      await create();
      const result = await execute('export.start', opened('e1'));
      restarted();
      await database.query('update nbd_export set pid = null, start_ticks = null');
      expect(await observe('export.start', opened('e1'))).toEqual({ state: 'done', result });
    });

    it('gives three exports that start at once three ports, past one that a stranger holds', async () => {
      const stranger = createServer().listen(FIRST_PORT + 1, '127.0.0.1');
      await once(stranger, 'listening');
      const names = ['a', 'b', 'c'];
      for (const name of names) await create(`${name}.qcow2`);
      const results = await Promise.all(names.map((name) => execute('export.start', opened(name, `${name}.qcow2`))));
      expect(results.map((result) => Number(result['port']) - FIRST_PORT).sort()).toEqual([0, 2, 3]);
      stranger.close();
    });

    it('says that every port is taken', async () => {
      const ports = new NbdPorts(database, { first: 1, last: 2 });
      await ports.claim('a', new Set());
      await ports.claim('b', new Set());
      await expect(ports.claim('c', new Set())).rejects.toThrow('every port');
      await ports.release('a');
      expect((await ports.claim('c', new Set())).port).toBe(1);
    });

    it('tells that it ended by itself', async () => {
      await create();
      const result = await execute('export.start', opened('e1'));
      kill(Number(result['pid']));
      await eventually(async () => {
        expect(await executor('export.start').ended?.(opened('e1'), result)).toContain('ended by itself');
      });
      expect(await observe('export.start', opened('e1'))).toEqual({ state: 'absent' });
    });

    it('never opens an image that was written and not closed: opening would make it look clean', async () => {
      await create();
      const { pid } = await execute('export.start', opened('e1'));
      await write('e1', 'write -P 7 0 1M', 'flush');
      kill(Number(pid));
      await expect(execute('export.start', opened('e1'))).rejects.toMatchObject({
        failure: { code: 'export-not-clean' },
      });
      expect((await readQcow2Header(file())).dirty).toBe(true);
    });

    it('never opens an image that already holds data', async () => {
      await create();
      await execute('export.start', opened('e1'));
      await write('e1', 'write -P 7 0 1M', 'flush');
      await execute('export.finish', opened('e1'));
      await expect(execute('export.start', opened('e2'))).rejects.toMatchObject({
        failure: { code: 'export-not-clean' },
      });
    });

    it.each([
      ['a backing file', ['-u', '-b', '/etc/passwd', '-F', 'raw']],
      ['an external data file', ['-o', 'data_file=/tmp/oma-no-such-data']],
    ])('refuses an image whose header names %s', async (_what, options) => {
      if (options[0] === '-o') writeFileSync(world.path('data'), '');
      const given = options.map((option) => option.replace('/tmp/oma-no-such-data', world.path('data')));
      run('qemu-img', 'create', '-q', '-f', 'qcow2', ...given, join(world.root, 'hostile.qcow2'), '1M');
      await expect(execute('export.start', opened('e1', 'hostile.qcow2'))).rejects.toMatchObject({
        certainty: 'permanent',
        failure: { code: 'image-refused', remedy: REMEDY },
      });
      const args = { ...image('hostile.qcow2'), sizeBytes: MIB };
      await expect(execute('image.check', args)).rejects.toMatchObject({
        failure: { code: 'image-refused', remedy: REMEDY },
      });
      expect(await world.processes()).toEqual([]);
    });

    it('stops whatever state it is in, and may be stopped again', async () => {
      await create();
      await execute('export.stop', { exportId: 'never' });
      const { pid } = await execute('export.start', opened('e1'));
      process.kill(Number(pid), 'SIGSTOP');
      setTimeout(() => {
        kill(Number(pid));
      }, 300);
      expect(await observe('export.stop', { exportId: 'e1' })).toEqual({ state: 'partial' });
      await execute('export.stop', { exportId: 'e1' });
      await execute('export.stop', { exportId: 'e1' });
      expect(await observe('export.stop', { exportId: 'e1' })).toEqual({ state: 'done', result: {} });
      expect(await nbdExports.ports.holders()).toEqual([]);
      expect(readdirSync(join(world.runDir, 'exports'))).toEqual([]);
    });
  });

  describe('finishing an export', () => {
    it('proves the clean end of an own child by its exit code, and remembers it', async () => {
      await create();
      await execute('export.start', opened('e1'));
      await write('e1', 'write -P 7 0 10M');
      expect(await observe('export.finish', opened('e1'))).toEqual({ state: 'partial' });
      expect(await execute('export.finish', opened('e1'))).toEqual({ exitCode: 0 });
      expect(await execute('export.finish', opened('e1'))).toEqual({ exitCode: 0 });
      expect(await observe('export.finish', opened('e1'))).toEqual({ state: 'done', result: { exitCode: 0 } });
      expect(await nbdExports.ports.holders()).toEqual([]);
      const checked = await execute('image.check', { ...image(), sizeBytes: SIZE });
      expect(checked).toEqual({ virtualSizeBytes: SIZE, fileSizeBytes: statSync(file()).size });
      await expect(execute('image.check', { ...image(), sizeBytes: SIZE * 2 })).rejects.toMatchObject({
        failure: { code: 'image-size' },
      });
    });

    it('proves the clean end of an adopted process by the header, also after a crash between asking and noting', async () => {
      await create();
      await execute('export.start', opened('e1'));
      await write('e1', 'write -P 7 0 10M');
      restarted();
      const daemon = await daemonOf('e1');
      await nbdExports.ports.stopAsked('e1');
      kill(daemon.pid, 'SIGTERM');
      await eventually(async () => {
        expect(await nbdExports.process('e1')).toBeNull();
      });
      expect(await execute('export.finish', opened('e1'))).toEqual({ exitCode: null });
    });

    it('fails after a kill although qemu-img check is content, for the bytes differ', async () => {
      await create();
      const { pid } = await execute('export.start', opened('e1'));
      const client = await writeWithoutFlush('e1');
      await nbdExports.ports.stopAsked('e1');
      kill(Number(pid));
      client.kill('SIGKILL');
      await eventually(async () => {
        expect(await nbdExports.process('e1')).toBeNull();
      });
      expect(run('qemu-img', 'check', file())).toContain('No errors were found');
      const zeros = run('qemu-io', '-r', '-f', 'qcow2', '-c', 'read -P 0 0 10M', file());
      expect(zeros).not.toContain('verification failed');
      for (const again of [() => undefined, restarted]) {
        again();
        await expect(execute('export.finish', opened('e1'))).rejects.toMatchObject({
          certainty: 'permanent',
          failure: { code: 'export-not-clean' },
        });
      }
      await expect(execute('image.check', { ...image(), sizeBytes: SIZE })).rejects.toMatchObject({
        failure: { code: 'image-not-closed' },
      });
    });

    it('fails when the process was gone before it was asked to end, however clean the image', async () => {
      await create();
      const { pid } = await execute('export.start', opened('e1'));
      await eventually(async () => {
        if ((await nbdExports.process('e1')) === null) return;
        // Asked again: qemu-nbd forgets what it was asked between its first listening and its first turn.
        kill(Number(pid), 'SIGTERM');
        throw new Error('it is still there');
      });
      await expect(execute('export.finish', opened('e1'))).rejects.toMatchObject({
        failure: { code: 'export-not-clean' },
      });
    });
  });

  describe.each([false, true])('finishing an export, behind a gate: %j,', (severalConnections) => {
    const start = (exportId: string, place: object) =>
      execute('export.start', { exportId, ...place, ...FOR_ONE_AGENT, severalConnections });
    const finish = (exportId: string, place: object) => execute('export.finish', { exportId, ...place });
    /** Not at a stroke: the gate is in this process. */
    const written = async (exportId: string) =>
      promisify(execFile)('qemu-io', ['-f', 'raw', '-c', 'write -P 7 0 1M', await uri(exportId)]);
    afterEach(() => nbdExports.close());

    /** Until it greets somebody it forgets what it is asked. Who was greeted and leaves is no client of the export. */
    const greets = async (exportId: string) => {
      const port = (await nbdExports.address(exportId))?.port ?? 0;
      const socket = { path: join(world.runDir, 'exports', exportId, 'nbd.sock') };
      const visitor = connect(severalConnections ? socket : { host: '127.0.0.1', port });
      await once(visitor, 'data');
      visitor.destroy();
    };

    it('fails when nobody came to a disk that was to be copied whole', async () => {
      await create();
      await start('e1', image());
      await greets('e1');
      await expect(finish('e1', image())).rejects.toMatchObject({
        certainty: 'permanent',
        failure: { code: 'export-unused' },
      });
    });

    it('minds nobody staying away from an increment', async () => {
      await create('base.qcow2');
      await start('e1', image('base.qcow2'));
      await written('e1');
      await finish('e1', image('base.qcow2'));
      const increment = { ...image('child.qcow2'), layers: ['base.qcow2'] };
      await execute('image.create', { ...increment, sizeBytes: SIZE });
      await start('e2', increment);
      await greets('e2');
      expect(await finish('e2', increment)).toEqual({ exitCode: 0 });
    });

    it('fails when it can not be told any more who came', async () => {
      await create();
      await start('e1', image());
      await written('e1');
      const folder = join(world.runDir, 'exports/e1');
      for (const name of readdirSync(folder)) if (name.endsWith('.log')) rmSync(join(folder, name));
      await expect(finish('e1', image())).rejects.toMatchObject({ failure: { code: 'export-not-clean' } });
    });

    it('removes what is left of it when it went down between writing the end down and removing', async () => {
      await create();
      await start('e1', image());
      await written('e1');
      await finish('e1', image());
      mkdirSync(join(world.runDir, 'exports/e1'));
      expect(await observe('export.finish', opened('e1'))).toEqual({ state: 'partial' });
      expect(await finish('e1', image())).toEqual({ exitCode: 0 });
      expect(await observe('export.finish', opened('e1'))).toEqual({ state: 'done', result: { exitCode: 0 } });
    });
  });

  describe('checking an image', () => {
    it('sees damage', async () => {
      await create();
      await execute('export.start', opened('e1'));
      await write('e1', 'write -P 7 0 10M');
      await execute('export.finish', opened('e1'));
      const bytes = readFileSync(file());
      bytes.fill(0xff, 3 * 65536, 3 * 65536 + 4096);
      writeFileSync(file(), bytes);
      await expect(execute('image.check', { ...image(), sizeBytes: SIZE })).rejects.toMatchObject({
        certainty: 'permanent',
        failure: { code: 'image-corrupt' },
      });
    });

    it('says that an image is missing', async () => {
      chmodSync(world.root, 0o700);
      await expect(execute('image.check', { ...image(), sizeBytes: SIZE })).rejects.toMatchObject({
        failure: { code: 'image-missing', remedy: REMEDY },
      });
    });
  });
});

/** With what a process has a file open: the access mode and O_DIRECT, for each time. */
async function openFlags(pid: number, file: string): Promise<number[]> {
  const fds = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  const infos = await Promise.all(
    fds.filter((_, index) => targets[index] === file).map((fd) => readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8')),
  );
  return infos.map(
    (info) => Number.parseInt(/flags:\s*(\d+)/.exec(info)?.[1] ?? '', 8) & (constants.O_DIRECT | constants.O_RDWR),
  );
}
