import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Database } from '#platform/database/database';

import { freshDatabase } from '../kit/database.js';
import { DiskWorld, kill, run } from '../kit/disk-world.js';
import { eventually } from '../kit/eventually.js';
import { asImage, debugfs, extDisk, hostileTree, leaveInJournal, MIB, sha256 } from '../kit/guest-disks.js';
import { Mounting } from '../kit/mounted.js';

const ID = '0192f0c1-0000-7000-8000-000000000001';
const tooMany = expect.objectContaining({
  certainty: 'permanent',
  failure: expect.objectContaining({ code: 'too-many-mounts' }) as unknown,
}) as unknown;

describe('a mount', () => {
  let world: DiskWorld;
  let database: Database;
  let drop: () => Promise<void>;
  let mounting: Mounting;
  beforeEach(async () => {
    world = new DiskWorld();
    ({ database, drop } = await freshDatabase());
    mounting = new Mounting(world, database);
    mkdirSync(world.path('tree'));
    hostileTree(world.path('tree'));
  });
  afterEach(async () => {
    await world.clear();
    await drop();
  });

  const image = (name: string) => asImage(world.path(`${name}.raw`), join(world.root, `${name}.qcow2`));
  const ext = (name: string, options: Parameters<typeof extDisk>[2] = {}) => {
    extDisk(world.path(`${name}.raw`), world.path('tree'), options);
    return image(name);
  };
  const folder = (...names: string[]) => join(world.runDir, 'mounts', ID, ...names);
  const source = (name = 'disk.qcow2') => ({ mountId: ID, root: world.root, image: name, layers: [] });
  const closing = ['mount.filesystem.close', 'mount.disk.close', 'mount.export.close', 'mount.overlay.remove'];
  const close = async (partition: number) => {
    for (const kind of closing) await mounting.execute(kind, { mountId: ID, partition });
  };
  const nothingIsLeft = async () => {
    expect(world.mounts()).toEqual([]);
    expect(await world.processes()).toEqual([]);
    expect(readdirSync(join(world.runDir, 'mounts'))).toEqual([]);
  };

  it('opens step by step, finds each step again after a restart, and closes without a trace', async () => {
    const file = ext('disk', { label: 'my "data"' });
    const before = sha256(file);
    for (const kind of ['mount.overlay', 'mount.export', 'mount.disk']) {
      expect(await mounting.observe(kind, source())).toEqual({ state: 'absent' });
      const result = await mounting.execute(kind, source());
      expect(await mounting.observe(kind, source())).toEqual({ state: 'done', result });
    }
    const { partitions } = await mounting.execute('mount.inspect', { mountId: ID });
    const partition = {
      number: 1,
      startBytes: MIB,
      sizeBytes: 62 * MIB,
      filesystem: 'ext4',
      label: 'my "data"',
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown as string,
    };
    expect(partitions).toEqual([partition]);
    const args = { mountId: ID, partition };
    expect(await mounting.observe('mount.filesystem', args)).toEqual({ state: 'absent' });
    const result = await mounting.execute('mount.filesystem', args);
    expect(result).toMatchObject({ state: 'mounted', replayedJournal: false });
    expect(await mounting.observe('mount.filesystem', args)).toEqual({ state: 'done', result });
    expect(readFileSync(folder('fs-1', 'hello.txt'), 'utf8')).toBe('hello\n');
    const options = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((line) => line.includes('fs-1'));
    expect(options).toMatch(/nosuid,nodev,noexec/);
    expect(options).not.toContain('allow_other');
    await close(1);
    await nothingIsLeft();
    for (const kind of closing) {
      expect(await mounting.observe(kind, { mountId: ID, partition: 1 })).toEqual({ state: 'done', result: {} });
      await mounting.execute(kind, { mountId: ID, partition: 1 });
    }
    expect(sha256(file)).toBe(before);
  });

  it('may repeat every step and keeps one of each', async () => {
    ext('disk');
    await mounting.firstFilesystem(ID, 'disk.qcow2');
    const { partition, result } = await mounting.firstFilesystem(ID, 'disk.qcow2');
    expect(result).toMatchObject({ state: 'mounted' });
    expect(partition.number).toBe(1);
    expect(await world.processes()).toHaveLength(3);
    expect(world.mounts()).toHaveLength(2);
  });

  it('is one of 32 at most, however many are opened at once', async () => {
    ext('disk');
    for (let number = 1; number < 32; number += 1)
      mkdirSync(join(world.runDir, 'mounts', `m-${number}`), { recursive: true });
    const ids = ['one', 'two', 'three'];
    const open = (mountId: string) => mounting.execute('mount.overlay', { ...source(), mountId });
    const outcomes = await Promise.allSettled(ids.map(open));
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    expect(refusals).toEqual([tooMany, tooMany]);
    expect(readdirSync(join(world.runDir, 'mounts'))).toHaveLength(32);
    // A step that is done again counts itself once.
    const opened = ids[outcomes.findIndex(({ status }) => status === 'fulfilled')] ?? '';
    await open(opened);
    await mounting.execute('mount.overlay.remove', { mountId: opened });
    await open('four');
  });

  it('shows files that are only in the journal, by a replay that leaves the image as it is', async () => {
    extDisk(world.path('disk.raw'), world.path('tree'));
    leaveInJournal(world.path('disk.raw'), MIB, 'late.txt', 'written just before the power went');
    const listing = execFileSync('debugfs', ['-R', 'ls', `${world.path('disk.raw')}?offset=${MIB}`], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    expect(listing).not.toContain('late.txt');
    const before = sha256(image('disk'));
    const { partition, result } = await mounting.firstFilesystem(ID, 'disk.qcow2');
    expect(result).toMatchObject({ state: 'mounted', replayedJournal: true });
    expect(readFileSync(folder('fs-1', 'late.txt'), 'utf8')).toBe('written just before the power went');
    expect(await world.processes()).toHaveLength(3);
    kill(Number(result['pid']));
    const again = await mounting.execute('mount.filesystem', { mountId: ID, partition });
    expect(again).toMatchObject({ state: 'mounted', replayedJournal: true });
    await close(1);
    expect(sha256(join(world.root, 'disk.qcow2'))).toBe(before);
  });

  it('notices each part that ends by itself, and opens it again', async () => {
    ext('disk');
    const { partition, result } = await mounting.firstFilesystem(ID, 'disk.qcow2');
    const filesystem = { mountId: ID, partition };
    const ended = (kind: string, args: Parameters<Mounting['execute']>[1], found: typeof result) =>
      mounting.executor(kind).ended?.(args, found);
    expect(await ended('mount.filesystem', filesystem, result)).toBeNull();
    kill(Number(result['pid']));
    await eventually(async () => {
      expect(await ended('mount.filesystem', filesystem, result)).toContain('ended by itself');
    });
    expect(await mounting.observe('mount.filesystem', filesystem)).toEqual({ state: 'partial' });
    expect(await mounting.execute('mount.filesystem', filesystem)).toMatchObject({ state: 'mounted' });
    const daemon = await mounting.observe('mount.export', source());
    if (daemon.state !== 'done') throw new Error('the export lives');
    kill(Number(daemon.result['pid']));
    await eventually(async () => {
      expect(await ended('mount.export', source(), daemon.result)).toContain('ended by itself');
      expect(await mounting.observe('mount.export', source())).toEqual({ state: 'absent' });
    });
    await expect(mounting.execute('mount.filesystem', filesystem)).rejects.toMatchObject({ certainty: 'transient' });
    await mounting.execute('mount.export', source());
    await mounting.execute('mount.disk', { mountId: ID });
    expect(await mounting.execute('mount.filesystem', filesystem)).toMatchObject({ state: 'mounted' });
    await close(1);
    await nothingIsLeft();
  });

  it('closes after its processes were killed, in whatever state they left it', async () => {
    ext('disk');
    await mounting.firstFilesystem(ID, 'disk.qcow2');
    for (const { pid } of await world.processes()) kill(pid);
    await mounting.execute('mount.overlay.remove', { mountId: ID });
    await nothingIsLeft();
  });

  it('closes while its processes hang, without hanging itself', async () => {
    ext('disk');
    await mounting.firstFilesystem(ID, 'disk.qcow2');
    const stuck = await world.processes();
    for (const { pid } of stuck) process.kill(pid, 'SIGSTOP');
    await close(1);
    await nothingIsLeft();
  }, 60_000);

  it('closes while somebody looks in', async () => {
    ext('disk');
    await mounting.firstFilesystem(ID, 'disk.qcow2');
    await world.runner.spawnDaemon({
      program: 'sh',
      args: ['-c', 'cd "$0" && exec sleep 100', folder('fs-1')],
      logFile: world.path('log'),
    });
    await close(1);
    expect(world.mounts()).toEqual([]);
  }, 60_000);

  it('never removes what is inside of a mount that is still alive', async () => {
    ext('disk');
    await mounting.disk(ID, 'disk.qcow2');
    mkdirSync(folder('foreign'));
    writeFileSync(folder('foreign', 'precious'), 'kept');
    await expect(mounting.execute('mount.overlay.remove', { mountId: ID })).rejects.toThrow('ENOTEMPTY');
    expect(readFileSync(folder('foreign', 'precious'), 'utf8')).toBe('kept');
  });

  it('refuses an image that is not intact, hostile, or reached by a link', async () => {
    ext('disk');
    const bytes = readFileSync(join(world.root, 'disk.qcow2'));
    bytes.writeUInt8(1, 79);
    writeFileSync(join(world.root, 'dirty.qcow2'), bytes);
    run(
      'qemu-img',
      'create',
      '-q',
      '-f',
      'qcow2',
      '-u',
      '-b',
      '/etc/passwd',
      '-F',
      'raw',
      join(world.root, 'hostile.qcow2'),
      '1M',
    );
    symlinkSync(join(world.root, 'disk.qcow2'), join(world.root, 'link.qcow2'));
    const codeOf = async (name: string) => {
      const failed = await mounting.execute('mount.overlay', source(name)).catch((error: unknown) => error);
      return (failed as { failure: { code: string } }).failure.code;
    };
    expect(await codeOf('dirty.qcow2')).toBe('image-not-closed');
    expect(await codeOf('hostile.qcow2')).toBe('image-refused');
    expect(await codeOf('link.qcow2')).toBe('image-place-refused');
    expect(await codeOf('nowhere.qcow2')).toBe('image-missing');
    expect(existsSync(folder('overlay.qcow2'))).toBe(false);
  });

  describe('finds partitions', () => {
    it('of an MBR with logical ones, and none that only hold others', async () => {
      run('truncate', '-s', '64M', world.path('mbr.raw'));
      const script =
        'label: dos\nstart=2048,size=20480,type=83\nstart=22528,size=80000,type=5\nstart=24576,size=20480,type=83\n';
      execFileSync('sfdisk', ['-q', '--no-reread', world.path('mbr.raw')], { input: script });
      image('mbr');
      const found = await mounting.disk(ID, 'mbr.qcow2');
      expect(found.map(({ number, startBytes, filesystem }) => [number, startBytes, filesystem])).toEqual([
        [1, 2048 * 512, null],
        [5, 24576 * 512, null],
      ]);
    });

    it('of a disk without a table: one, number 0, that can be opened', async () => {
      ext('bare', { table: null });
      const { partition, result } = await mounting.firstFilesystem(ID, 'bare.qcow2');
      expect(partition).toMatchObject({ number: 0, startBytes: 0, sizeBytes: 64 * MIB, filesystem: 'ext4' });
      expect(result).toMatchObject({ state: 'mounted' });
      expect(readFileSync(folder('fs-0', 'hello.txt'), 'utf8')).toBe('hello\n');
    });

    it('of an empty disk: one, with nothing in it', async () => {
      run('truncate', '-s', '8M', world.path('empty.raw'));
      image('empty');
      const { partition, result } = await mounting.firstFilesystem(ID, 'empty.qcow2');
      expect(partition).toMatchObject({ number: 0, filesystem: null, label: null });
      expect(result).toEqual({ state: 'unreadable', reason: 'no filesystem was recognised on it' });
    });

    it('of a table that makes one longer than the disk: it ends with the disk, and can be opened', async () => {
      const raw = world.path('long.raw');
      extDisk(raw, world.path('tree'), { table: 'dos' });
      leaveInJournal(raw, MIB, 'late.txt', 'late');
      run('truncate', '-s', '128M', raw);
      const script = 'label: dos\nstart=2048, size=200000\n';
      execFileSync('sfdisk', ['-q', '--no-reread', raw], { input: script, stdio: 'pipe' });
      run('truncate', '-s', '64M', raw);
      image('long');
      const { partition, result } = await mounting.firstFilesystem(ID, 'long.qcow2');
      expect(partition).toMatchObject({ number: 1, startBytes: MIB, sizeBytes: 63 * MIB });
      expect(result).toMatchObject({ state: 'mounted', replayedJournal: true });
      expect(readFileSync(folder('fs-1', 'late.txt'), 'utf8')).toBe('late');
    });

    it('and shows a hostile label as harmless text', async () => {
      extDisk(world.path('label.raw'), world.path('tree'));
      const raw = readFileSync(world.path('label.raw'));
      Buffer.from('\u001b[2J\nID_FS_\u202e\xff', 'utf8').copy(raw, MIB + 1024 + 0x78, 0, 16);
      // The checksum of the superblock is made good again by debugfs.
      writeFileSync(world.path('label.raw'), raw);
      debugfs(world.path('label.raw'), MIB, 'set_super_value checksum calc');
      image('label');
      const [partition] = await mounting.disk(ID, 'label.qcow2');
      expect(partition?.filesystem).toBe('ext4');
      // eslint-disable-next-line no-control-regex
      expect(partition?.label).not.toMatch(/[\u0000-\u001f\u202e]/);
    });
  });

  describe('says why it can not open', () => {
    it('another filesystem', async () => {
      run('truncate', '-s', '8M', world.path('swap.raw'));
      run('mkswap', '-q', world.path('swap.raw'));
      image('swap');
      const { partition, result } = await mounting.firstFilesystem(ID, 'swap.qcow2');
      expect(result).toEqual({
        state: 'unreadable',
        reason: 'it holds swap space; only ext2, ext3 and ext4 can be browsed',
      });
      expect(await mounting.observe('mount.filesystem', { mountId: ID, partition })).toEqual({ state: 'done', result });
      await close(partition.number);
      await nothingIsLeft();
    });

    it('a damaged one', async () => {
      extDisk(world.path('broken.raw'), world.path('tree'));
      const raw = readFileSync(world.path('broken.raw'));
      raw.fill(0xff, MIB + 4096, MIB + 600 * 1024);
      writeFileSync(world.path('broken.raw'), raw);
      image('broken');
      const { result } = await mounting.firstFilesystem(ID, 'broken.qcow2');
      expect(result).toMatchObject({ state: 'unreadable', reason: expect.stringContaining('damaged') });
      await close(1);
      await nothingIsLeft();
    });

    it('one whose journal is on a device that its header names', async () => {
      extDisk(world.path('external.raw'), world.path('tree'));
      debugfs(
        world.path('external.raw'),
        MIB,
        'set_super_value journal_inum 0',
        'set_super_value journal_uuid 11111111-1111-1111-1111-111111111111',
        'set_super_value journal_dev 0x801',
        'feature needs_recovery',
      );
      image('external');
      const { result } = await mounting.firstFilesystem(ID, 'external.qcow2');
      expect(result).toEqual({ state: 'unreadable', reason: 'its journal is on another disk' });
    });
  });

  it('counts its idle time from the last read, and none while something is read', async () => {
    ext('disk');
    await mounting.execute('mount.overlay', source());
    const idle = () => mounting.execute('mount.idle', { mountId: ID });
    const past = (seconds: number) =>
      database.query(`update restore_access set last_accessed_at = now() - $1 * interval '1 second'`, [seconds]);
    expect(await idle()).toEqual({ idleSeconds: 0 });
    await past(100);
    expect(await idle()).toEqual({ idleSeconds: 100 });
    await mounting.access.touch(ID);
    expect(await idle()).toEqual({ idleSeconds: 0 });
    await mounting.access.readBegan(ID);
    await past(30);
    expect(await idle()).toEqual({ idleSeconds: 0 });
    await past(100);
    expect(await idle()).toEqual({ idleSeconds: 100 });
    await mounting.access.readBegan(ID);
    await mounting.access.readEnded(ID);
    await past(30);
    expect(await idle()).toEqual({ idleSeconds: 30 });
  });
});
