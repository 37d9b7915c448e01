import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NbdClient } from '#lab/nbd/nbd-client';

import type { Database } from '#platform/database/database';
import { ExecaProcessRunner } from '#platform/processes/execa.process-runner';
import { BandwidthPool } from '#platform/qemu/bandwidth/bandwidth-pool';
import { qemuExecutors } from '#platform/qemu/executors';
import { openImage } from '#platform/qemu/layers';
import { type ExportOptions, NbdExports } from '#platform/qemu/nbd-exports';
import { NbdPorts, sliceOf } from '#platform/qemu/nbd-ports';

import { FOR_ONE_AGENT, oneAgent } from '../kit/one-agent.js';
import { amidCollections } from '../kit/amid-collections.js';
import { freshDatabase } from '../kit/database.js';
import { DiskWorld, effectContext, kill, run } from '../kit/disk-world.js';
import { eventually } from '../kit/eventually.js';

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
const FIRST_PORT = 12_000 + 10 * (process.pid % 2000);
const GATED = { severalConnections: true };
const signal = new AbortController().signal;
/** What buffers hold that somebody still needs. */
const liveBufferBytes = () => {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
  return process.memoryUsage().arrayBuffers;
};
const inBackground = promisify(execFile);

describe('the door of an export', () => {
  let world: DiskWorld;
  let database: Database;
  let drop: () => Promise<void>;
  let nbdExports: NbdExports;
  let programs: ChildProcess[];
  beforeEach(async () => {
    world = new DiskWorld();
    programs = [];
    ({ database, drop } = await freshDatabase());
    nbdExports = newExports();
  });
  afterEach(async () => {
    for (const program of programs) program.kill('SIGKILL');
    await nbdExports.close();
    await world.clear();
    await drop();
  });

  const newExports = (bandwidth = new BandwidthPool()) =>
    new NbdExports(
      new ExecaProcessRunner(),
      new NbdPorts(database, { first: FIRST_PORT, last: FIRST_PORT + 9 }),
      world.runDir,
      bandwidth,
    );
  const executor = (kind: string) => {
    const found = qemuExecutors({ runner: new ExecaProcessRunner(), nbdExports, agents: oneAgent }).find(
      (one) => one.kind === kind,
    );
    if (found === undefined) throw new Error(`no executor for ${kind}`);
    return found;
  };
  const place = (exportId: string) => ({ root: world.root, image: `${exportId}.qcow2`, layers: [] });
  const argsOf = (exportId: string) => ({ exportId, ...place(exportId), ...FOR_ONE_AGENT });
  const finish = (exportId: string) => executor('export.finish').execute(argsOf(exportId), effectContext());
  const file = (exportId: string) => join(world.root, `${exportId}.qcow2`);
  const start = async (exportId: string, options: ExportOptions = {}) => {
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=on', file(exportId), String(SIZE));
    const running = await nbdExports.start(exportId, await openImage(place(exportId)), signal, options);
    if (running === null) throw new Error('the export did not start');
    return running;
  };
  const targetOf = async (exportId: string) => {
    const address = await nbdExports.address(exportId);
    if (address === null) throw new Error('no such export');
    return { host: '127.0.0.1', ...address };
  };
  const uriOf = async (exportId: string) => {
    const { port, exportName } = await targetOf(exportId);
    return `nbd://127.0.0.1:${port}/${exportName}`;
  };
  const client = async (exportId: string) => NbdClient.connect(await targetOf(exportId), signal);
  const block = (value: number, bytes = MIB) => Buffer.alloc(bytes, value);
  const qemuIo = async (exportId: string, command: string, timeout = 10_000) =>
    inBackground('qemu-io', ['-f', 'raw', '-c', command, await uriOf(exportId)], { timeout, killSignal: 'SIGKILL' });
  const qemuIoRead = async (exportId: string, mebibytes: number) =>
    inBackground('qemu-io', ['-r', '-f', 'raw', '-c', `read 0 ${mebibytes}M`, await uriOf(exportId)]);
  const holds = (exportId: string, value: number, offset: number) =>
    !run('qemu-io', '-r', '-f', 'qcow2', '-c', `read -P ${value} ${offset} 1M`, file(exportId)).includes(
      'verification',
    );

  describe('with a gate', () => {
    it('passes writes, zeros, flush and disconnect, and the export still ends provably clean', async () => {
      await start('e1', GATED);
      await qemuIo('e1', 'write -P 7 0 10M');
      const writer = await client('e1');
      expect(writer.facts).toMatchObject({ sizeBytes: SIZE, readOnly: false, canFlush: true, canWriteZeroes: true });
      await Promise.all([writer.write(10 * MIB, block(8)), writer.writeZeroes(0, MIB)]);
      await writer.flush();
      await writer.disconnect();
      expect(await finish('e1')).toEqual({ exitCode: 0 });
      expect([holds('e1', 0, 0), holds('e1', 7, MIB), holds('e1', 8, 10 * MIB)]).toEqual([true, true, true]);
    });

    it('carries a whole disk of nbdcopy bit by bit, and back', async () => {
      const source = world.path('source.raw');
      run('dd', 'if=/dev/urandom', `of=${source}`, 'bs=1M', `count=${SIZE / MIB}`);
      await start('e1', GATED);
      await inBackground('nbdcopy', ['--flush', source, await uriOf('e1')], { timeout: 20_000 });
      await inBackground('nbdcopy', [await uriOf('e1'), world.path('back.raw')], { timeout: 20_000 });
      run('cmp', source, world.path('back.raw'));
      await finish('e1');
      run('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', source, file('e1'));
    });

    it('tells nobody the name, and nothing of the export to who has another name', async () => {
      await start('e1', GATED);
      const { port, exportName } = await targetOf('e1');
      expect(exportName).toMatch(/^[0-9a-f]{32}$/);
      for (const args of [['--list'], ['--list', '--json'], ['--size']]) {
        const stranger = inBackground('nbdinfo', [...args, `nbd://127.0.0.1:${port}/x`], { timeout: 10_000 });
        const { stdout, stderr } = await stranger.catch(
          (error: unknown) => error as { stdout: string; stderr: string },
        );
        expect(`${stdout} ${stderr}`).not.toContain(exportName);
        expect(`${stdout} ${stderr}`).not.toContain(String(SIZE));
      }
      await expect(NbdClient.connect({ host: '127.0.0.1', port, exportName: 'x' }, signal)).rejects.toThrow('refuses');
    });

    it('shows a second client a disk that it can only read', async () => {
      await start('e1', GATED);
      const writer = await client('e1');
      await writer.write(0, block(7));
      const second = await client('e1');
      expect(second.facts.readOnly).toBe(true);
      await expect(second.write(0, block(9))).rejects.toThrow('answers error');
      await expect(qemuIo('e1', 'write -P 9 0 1M')).rejects.toThrow('Permission denied');
      await writer.write(MIB, block(7));
      await Promise.all([writer.disconnect(), second.disconnect()]);
      await finish('e1');
      expect([holds('e1', 7, 0), holds('e1', 7, MIB)]).toEqual([true, true]);
    });

    it('serves an agent that opens a second connection and leaves the first open: who writes first is the writer', async () => {
      await start('e1', GATED);
      const [idle, writer] = [await client('e1'), await client('e1')];
      await writer.write(0, block(7));
      await expect(idle.write(0, block(9))).rejects.toThrow('answers error');
      await expect(idle.writeZeroes(0, MIB)).rejects.toThrow('answers error');
      await idle.flush();
      await writer.disconnect();
      await idle.disconnect();
      await finish('e1');
      expect(holds('e1', 7, 0)).toBe(true);
    });

    it('lets an agent whose connection broke in the middle of a write come back as the writer', async () => {
      await start('e1', GATED);
      const broken = await client('e1');
      const lost = broken.write(0, block(9, 8 * MIB)).catch(() => undefined);
      broken.destroy();
      await lost;
      await eventually(async () => {
        const again = await client('e1');
        expect(again.facts.readOnly).toBe(false);
        await again.write(0, block(7));
        await again.disconnect();
      });
      await finish('e1');
      expect(holds('e1', 7, 0)).toBe(true);
    });

    it('turns out who does not speak NBD', async () => {
      await start('e1', GATED);
      const { port } = await targetOf('e1');
      const stranger = connect({ host: '127.0.0.1', port });
      stranger.on('error', () => undefined).resume();
      stranger.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(10));
      await once(stranger, 'close');
      await qemuIo('e1', 'write -P 7 0 1M');
    });

    it('turns out those who say nothing for ten seconds, amid garbage collections: they took all places', async () => {
      await start('e1', GATED);
      const { port } = await targetOf('e1');
      const silent = Array.from({ length: 8 }, () => connect({ host: '127.0.0.1', port }).resume());
      await amidCollections(() => Promise.all(silent.map((one) => once(one, 'close'))));
      await qemuIo('e1', 'write -P 7 0 1M');
    });

    it('waits in peace for a client that sends byte by byte, and lets others in meanwhile', async () => {
      await start('e1', GATED);
      const { port } = await targetOf('e1');
      const slow = connect({ host: '127.0.0.1', port, noDelay: true });
      slow.on('error', () => undefined);
      await once(slow, 'data');
      slow.write(Buffer.from([0]));
      await qemuIo('e1', 'write -P 7 0 1M');
      slow.write(Buffer.from([0, 0, 1]));
      slow.write('IHAVEOPT');
      slow.write(Buffer.from([0, 0, 0, 3, 0, 0, 0, 0]));
      const [answer] = (await once(slow, 'data')) as [Buffer];
      expect(answer.readUInt32BE(12)).toBe(0x80000002);
      slow.destroy();
    });

    it('is opened again for a living export after OMA was killed, and not twice', async () => {
      const running = await start('e1', GATED);
      await nbdExports.close();
      nbdExports = newExports();
      await expect(client('e1')).rejects.toThrow('ECONNREFUSED');
      expect(await executor('export.start').ended?.(argsOf('e1'), { ...running.daemon })).toBeNull();
      expect(await nbdExports.running('e1')).toEqual(running);
      await qemuIo('e1', 'write -P 7 0 1M');
      expect(await finish('e1')).toEqual({ exitCode: null });
      await expect(targetOf('e1')).rejects.toThrow('no such export');
      const gone = connect({ host: '127.0.0.1', port: running.port });
      await expect(once(gone, 'connect')).rejects.toThrow('ECONNREFUSED');
    });

    it('closes when the export is stopped, also with a client at work', async () => {
      const { port } = await start('e1', GATED);
      const writer = await client('e1');
      await writer.write(0, block(7));
      await executor('export.stop').execute({ exportId: 'e1' }, effectContext());
      await expect(writer.write(0, block(7))).rejects.toThrow();
      await expect(once(connect({ host: '127.0.0.1', port }), 'connect')).rejects.toThrow('ECONNREFUSED');
    });
  });

  describe('with a limit', () => {
    const limit = (key: string, mibPerSecond: number) => ({ key, bytesPerSecond: mibPerSecond * MIB });
    const secondsOf = async (...exportIds: string[]) => {
      const begun = performance.now();
      await Promise.all(exportIds.map((exportId) => qemuIo(exportId, 'write -P 7 0 8M')));
      return (performance.now() - begun) / 1000;
    };

    it('holds all exports of a job together to its rate', async () => {
      const limits = { job: limit('job', 8), repository: null };
      await start('a', { limits });
      await start('b', { limits });
      const seconds = await secondsOf('a', 'b');
      expect(seconds).toBeGreaterThan(1.8);
      expect(seconds).toBeLessThan(4);
    });

    it('holds all jobs of a repository together to its rate, and each to its own', async () => {
      const repository = limit('repository', 8);
      await start('a', { limits: { job: limit('one', 100), repository } });
      await start('b', { limits: { job: null, repository } });
      expect(await secondsOf('a', 'b')).toBeGreaterThan(1.8);
    });

    it('begins with the rates that the effect names, and keeps them after a restart of OMA', async () => {
      run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=on', file('a'), String(SIZE));
      const args = { ...argsOf('a'), limits: { job: limit('job', 8), repository: limit('repository', 4) } };
      const result = await executor('export.start').execute(args, effectContext());
      expect(await secondsOf('a')).toBeGreaterThan(1.8);
      await nbdExports.close();
      nbdExports = newExports();
      expect(await executor('export.start').observe(args, effectContext())).toEqual({ state: 'done', result });
      expect(await secondsOf('a')).toBeGreaterThan(1.8);
    });

    it('lets other repositories and what is read alone', async () => {
      await start('a', { limits: { job: null, repository: limit('slow', 1) } });
      await start('b', { limits: { job: null, repository: limit('fast', 1000) } });
      expect(await secondsOf('b')).toBeLessThan(1);
      const begun = performance.now();
      await qemuIoRead('a', 32);
      expect(performance.now() - begun).toBeLessThan(2000);
    });

    it('keeps little in memory while fast clients wait', async () => {
      await start('a', { limits: { job: limit('one', 1), repository: null } });
      const source = world.path('source.raw');
      run('dd', 'if=/dev/urandom', `of=${source}`, 'bs=1M', 'count=64', 'status=none');
      const before = liveBufferBytes();
      // It offers all its 64 MiB at once.
      const copy = spawn('nbdcopy', [source, await uriOf('a')]);
      programs.push(copy);
      let most = 0;
      await eventually(async () => {
        most = Math.max(most, liveBufferBytes() - before);
        expect((await qemuIoRead('a', 1)).stdout).toContain('read 1048576');
        expect(statSync(file('a')).blocks * 512).toBeGreaterThan(2 * MIB);
      });
      expect(most).toBeLessThan(4 * MIB);
      expect(copy.exitCode).toBeNull();
    });
  });

  describe('without a gate', () => {
    it('touches no data: the process listens on the port itself', async () => {
      const { daemon } = await start('e1');
      expect(run('sh', '-c', `tr '\\0' ' ' < /proc/${daemon.pid}/cmdline`)).toContain('--port=');
    });

    it('serves one client at a time, and looking at the export disturbs nobody', async () => {
      const running = await start('e1');
      const writer = await client('e1');
      await writer.write(0, block(7));
      await expect(qemuIo('e1', 'write -P 9 0 1M', 1000)).rejects.toMatchObject({ killed: true });
      const begun = performance.now();
      expect(await nbdExports.running('e1')).toEqual(running);
      expect(performance.now() - begun).toBeLessThan(1000);
      await writer.write(MIB, block(7));
      await writer.disconnect();
      expect(await finish('e1')).toEqual({ exitCode: 0 });
      expect([holds('e1', 7, 0), holds('e1', 7, MIB)]).toEqual([true, true]);
    });

    it('never takes an image for good to which a second client came after the first', async () => {
      await start('e1');
      const writer = await client('e1');
      await writer.write(0, block(7));
      const waiting = qemuIo('e1', 'write -P 9 0 1M');
      await writer.disconnect();
      await waiting;
      await expect(finish('e1')).rejects.toMatchObject({
        certainty: 'permanent',
        failure: { code: 'export-second-client' },
      });
    });
  });

  describe('in a slice of the ports', () => {
    it('has a port that no other slice has, and says when its own slice is full', async () => {
      const { ports } = nbdExports;
      const claim = (exportId: string, index: number) => ports.claim(exportId, new Set(), { index, of: 3 });
      const first = [await claim('a', 0), await claim('b', 0), await claim('c', 0)].map(
        ({ port }) => port - FIRST_PORT,
      );
      expect(first).toEqual([0, 1, 2]);
      await expect(claim('d', 0)).rejects.toThrow('in use');
      expect((await claim('d', 1)).port - FIRST_PORT).toBe(3);
      expect((await claim('e', 2)).port - FIRST_PORT).toBe(6);
      await expect(claim('f', 3)).rejects.toThrow(RangeError);
    });

    it('covers the range with slices that do not overlap', () => {
      for (const slicesCount of [1, 2, 3, 7, 101, 150]) {
        const slices = Array.from({ length: slicesCount }, (_, index) =>
          sliceOf({ first: 10_100, last: 10_200 }, { index, of: slicesCount }),
        );
        const ports = slices.flatMap(({ first, last }) =>
          Array.from({ length: last - first + 1 }, (_, offset) => first + offset),
        );
        expect(ports).toEqual(Array.from({ length: 101 }, (_, offset) => 10_100 + offset));
      }
    });
  });

  it('opens at the next port when a stranger has the first', async () => {
    const stranger = spawn('qemu-nbd', ['-t', '-f', 'raw', '--bind=127.0.0.1', `--port=${FIRST_PORT}`, '/dev/null']);
    programs.push(stranger);
    await eventually(async () => {
      const look = connect({ host: '127.0.0.1', port: FIRST_PORT });
      await once(look, 'connect');
      look.destroy();
    });
    expect((await start('e1', GATED)).port).toBe(FIRST_PORT + 1);
    kill(stranger.pid ?? 0);
  });
});
