import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Lab, LabVm } from '#lab/lab';

import { DiskWorld, run } from '../kit/disk-world.js';
import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';

interface Progress {
  readonly status: string;
  readonly bytes_transferred: number;
  readonly total_bytes: number;
  readonly errors: readonly string[];
  readonly last_error: string | null;
  readonly disk_progresses: readonly {
    readonly device_key: number;
    readonly bytes_transferred: number;
    readonly total_bytes: number;
    readonly status: string;
    readonly change_id: string | null;
  }[];
}

describe('the lab', () => {
  let world: DiskWorld;
  let lab: Lab & { clear(): Promise<void> };
  let servers: ChildProcess[];
  beforeEach(async () => {
    world = new DiskWorld();
    servers = [];
    lab = await startTestLab();
  });
  afterEach(async () => {
    await lab.clear();
    for (const server of servers) await ended(server);
    await world.clear();
  });

  const vm = (name: string): LabVm => lab.vms.find((one) => one.name === name)!;
  const call = (method: string, path: string, body?: object) =>
    fetch(lab.url + path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const discover = (changes: object = {}) => {
    const { host, username, password, datacenter } = lab.vcenter;
    return call('POST', '/api/v1/discover', { vcenter: host, username, password, datacenter, ...changes });
  };

  /** Serves an empty image for each disk of the VM, as OMA does before it asks for a backup. */
  const targetsFor = async (of: LabVm, format = 'qcow2') =>
    Promise.all(
      of.disks.map(async ({ deviceKey, sizeBytes }) => {
        const file = world.path(`disk-${deviceKey}.${format}`);
        run('qemu-img', 'create', '-q', '-f', format, file, String(sizeBytes));
        const port = await freePort();
        servers.push(
          spawn('qemu-nbd', ['-f', format, '-b', '127.0.0.1', '-p', String(port), '-x', 'export', '-t', file]),
        );
        await eventually(() => run('nbdinfo', '--size', `nbd://127.0.0.1:${port}/export`));
        return { deviceKey, sizeBytes, file, nbdUrl: `nbd://127.0.0.1:${port}/export` };
      }),
    );
  const orderFor = (of: LabVm, targets: readonly { deviceKey: number; sizeBytes: number; nbdUrl: string }[]) => ({
    job_id: 'job-1',
    vm_name: of.name,
    vm_path: of.path,
    vcenter_host: lab.vcenter.host,
    vcenter_user: lab.vcenter.username,
    vcenter_password: lab.vcenter.password,
    nbd_host: '127.0.0.1',
    nbd_targets: targets.map(({ deviceKey, nbdUrl }) => `${deviceKey}:${nbdUrl}`).join(','),
    backup_type: 'full',
    previous_change_id: '',
    disks: targets.map(({ deviceKey, sizeBytes, nbdUrl }) => ({
      device_key: deviceKey,
      nbd_url: nbdUrl,
      mode: 'full',
      base_change_id: null,
      size_bytes: sizeBytes,
    })),
  });
  const startBackup = async (name: string, format?: string) => {
    const targets = await targetsFor(vm(name), format);
    const answer = await call('POST', '/api/v1/backup/start', orderFor(vm(name), targets));
    return { targets, answer };
  };
  const progress = async (): Promise<Progress> =>
    (await (await call('GET', '/api/v1/progress/job-1')).json()) as Progress;
  const progressWhen = (holds: (progress: Progress) => boolean) =>
    eventually(async () => {
      const found = await progress();
      if (!holds(found)) throw new Error(`not yet: ${JSON.stringify(found)}`);
      return found;
    });
  const whenEnded = () => progressWhen(({ status }) => status === 'completed' || status === 'failed');
  /** Ends the servers first, so that everything is in the images. */
  const differences = async (name: string, targets: readonly { deviceKey: number; file: string }[]) => {
    for (const server of servers) await ended(server);
    return vm(name).disks.filter(({ deviceKey, file }) => {
      const target = targets.find((one) => one.deviceKey === deviceKey)!;
      try {
        run(
          'qemu-img',
          'compare',
          '-q',
          '-f',
          'raw',
          '-F',
          target.file.endsWith('.raw') ? 'raw' : 'qcow2',
          file,
          target.file,
        );
        return false;
      } catch {
        return true;
      }
    });
  };

  it.each(['raw', 'qcow2'])('copies every disk of a VM, byte by byte, into %s', async (format) => {
    const { targets, answer } = await startBackup('web-01', format);
    expect(await answer.json()).toMatchObject({ job_id: 'job-1', status: 'started' });
    const done = await whenEnded();
    expect(done).toMatchObject({
      status: 'completed',
      bytes_transferred: 192 * 1024 * 1024,
      errors: [],
      last_error: null,
    });
    expect(done.disk_progresses.map((disk) => [disk.device_key, disk.status])).toEqual([
      [2000, 'Completed'],
      [2001, 'Completed'],
    ]);
    for (const disk of done.disk_progresses) expect(disk.change_id).toMatch(/^([0-9a-f]{2}[ -]){15}[0-9a-f]{2}\/\d+$/);
    expect(await differences('web-01', targets)).toEqual([]);
  });

  it('tells what its vCenter has', async () => {
    const answer = (await (await discover({ filter: 'WEB,twin' })).json()) as {
      vms: { name: string; path: string; disks: { id: string; capacity_bytes: number }[] }[];
    };
    expect(answer.vms.map(({ path }) => path)).toEqual([
      '/Lab/vm/Production/web-01',
      '/Lab/vm/Blue/twin',
      '/Lab/vm/Green/twin',
    ]);
    expect(answer.vms[0]?.disks.map(({ id, capacity_bytes }) => [id, capacity_bytes])).toEqual([
      ['disk-2000', 128 * 1024 * 1024],
      ['disk-2001', 64 * 1024 * 1024],
    ]);
  });

  it.each([
    ['password', { password: 'wrong' }, 'incorrect user name or password'],
    ['user', { username: 'nobody' }, 'incorrect user name or password'],
    ['host', { vcenter: 'elsewhere.example' }, 'no such host'],
    ['datacenter', { datacenter: 'Elsewhere' }, "datacenter 'Elsewhere' not found"],
  ])('lets nobody in with the wrong %s', async (_what, changes, words) => {
    const answer = await discover(changes);
    expect(answer.status).toBe(500);
    expect(await answer.text()).toContain(words);
  });

  it.each([
    ['no user', { vcenter_user: '' }, 400, 'vcenter_user is required'],
    ['an unknown type', { backup_type: 'half' }, 400, 'backup_type must be'],
    ['increments of nothing', { backup_type: 'incremental' }, 400, 'previous_change_id is required'],
    ['no disks', { disks: [] }, 400, 'disks must name a disk'],
    ['the wrong password', { vcenter_password: 'wrong' }, 500, 'incorrect user name or password'],
    ['an unknown VM', { vm_path: '/Lab/vm/nothing' }, 500, "vm '/Lab/vm/nothing' not found"],
  ])('refuses an order with %s', async (_what, changes, status, words) => {
    const order = orderFor(vm('db-01'), [
      { deviceKey: 2000, sizeBytes: 48 * 1024 * 1024, nbdUrl: 'nbd://127.0.0.1:1/x' },
    ]);
    const answer = await call('POST', '/api/v1/backup/start', { ...order, ...changes });
    expect([answer.status, await answer.text()]).toEqual([status, expect.stringContaining(words)]);
  });

  it('refuses disks of another size or key, and a job id that it knows', async () => {
    const start = async (deviceKey: number, sizeBytes: number) => {
      const disk = { deviceKey, sizeBytes, nbdUrl: 'nbd://127.0.0.1:1/x' };
      return (await call('POST', '/api/v1/backup/start', orderFor(vm('db-01'), [disk]))).status;
    };
    expect(await start(2000, 1024)).toBe(500);
    expect(await start(2007, 48 * 1024 * 1024)).toBe(500);
    expect(await start(2000, 48 * 1024 * 1024)).toBe(200);
    expect(await start(2000, 48 * 1024 * 1024)).toBe(409);
    expect(await whenEnded()).toMatchObject({ status: 'failed', last_error: expect.stringContaining('ECONNREFUSED') });
  });

  it('refuses an export that is smaller than the disk', async () => {
    const [target] = await targetsFor(vm('raw-01'));
    const order = orderFor(vm('db-01'), [{ ...target!, sizeBytes: 48 * 1024 * 1024 }]);
    expect((await call('POST', '/api/v1/backup/start', order)).status).toBe(200);
    expect((await whenEnded()).errors).toEqual(['export export has 16777216 bytes, the disk 50331648']);
  });

  it('ends a copy when it is told to', async () => {
    lab.misbehave({ hang_at_byte: 1024 * 1024 });
    await startBackup('db-01');
    expect((await call('POST', '/api/v1/backup/stop', { job_id: 'job-1' })).status).toBe(200);
    expect(await whenEnded()).toMatchObject({ status: 'failed', last_error: 'stopped on request' });
    expect((await call('POST', '/api/v1/backup/stop', { job_id: 'job-2' })).status).toBe(404);
    expect((await call('GET', '/api/v1/progress/job-2')).status).toBe(404);
  });

  describe('misbehaves on request:', () => {
    it('it fails at a byte and says why', async () => {
      lab.misbehave({ fail_at_byte: 3_000_001 });
      await startBackup('db-01');
      const failed = await whenEnded();
      expect(failed).toMatchObject({ status: 'failed', bytes_transferred: 3_000_001 });
      expect(failed.last_error).toBe('reading the disk failed at byte 3000001');
    });

    it('it stands still at a byte, and goes on when that ends', async () => {
      lab.misbehave({ hang_at_byte: 5_000_000 });
      const { targets } = await startBackup('db-01');
      await progressWhen(({ status, bytes_transferred }) => status === 'Streaming' && bytes_transferred === 5_000_000);
      await call('DELETE', '/lab/misbehave');
      expect((await whenEnded()).status).toBe('completed');
      expect(await differences('db-01', targets)).toEqual([]);
    });

    it('it is gone at a byte, and knows no job when it is back', async () => {
      await call('POST', '/lab/misbehave', { vanish_at_byte: 2_000_000 });
      await startBackup('db-01').catch(() => undefined);
      await eventually(() => expect(call('GET', '/api/v1/health')).rejects.toThrow());
      lab.misbehave({});
      expect((await call('GET', '/api/v1/health')).status).toBe(200);
      expect((await call('GET', '/api/v1/progress/job-1')).status).toBe(404);
    });

    it('it is gone at once', async () => {
      lab.misbehave({ vanish_at_byte: 0 });
      await expect(call('GET', '/api/v1/health')).rejects.toThrow();
      expect((await call('GET', '/lab/facts')).status).toBe(200);
    });

    it('it copies slowly', async () => {
      lab.misbehave({ bytes_per_second: 4 * 1024 * 1024 });
      await startBackup('db-01');
      const { bytes_transferred } = await progressWhen((seen) => seen.bytes_transferred > 0);
      expect(bytes_transferred).toBeLessThan(16 * 1024 * 1024);
      lab.misbehave({});
      expect((await whenEnded()).status).toBe('completed');
    });

    it('it answers slowly', async () => {
      lab.misbehave({ slow_answer_ms: 300 });
      const began = performance.now();
      await call('GET', '/api/v1/health');
      expect(performance.now() - began).toBeGreaterThan(290);
    });

    it.each([
      ['not-json', /^\{"status":"healthy".*[^}]$/],
      ['wrong-types', /^\{"status":7,/],
      ['html', /^<html>/],
    ] as const)('it answers %s', async (nonsense, expected) => {
      lab.misbehave({ nonsense });
      expect(await (await call('GET', '/api/v1/health')).text()).toMatch(expected);
    });

    it('it refuses to start', async () => {
      lab.misbehave({ refuse_start: 'no room' });
      expect(await (await startBackup('db-01')).answer.text()).toBe('no room\n');
    });

    it('it refuses to connect', async () => {
      lab.misbehave({ refuse_nbd: 'tunnel is down' });
      expect((await startBackup('db-01')).answer.status).toBe(200);
      expect((await whenEnded()).errors).toEqual(['tunnel is down']);
    });

    it('it writes a wrong byte and reports success', async () => {
      lab.misbehave({ flip_byte_at: 40 * 1024 * 1024 + 5 });
      const { targets } = await startBackup('db-01');
      expect((await whenEnded()).status).toBe('completed');
      expect(await differences('db-01', targets)).toHaveLength(1);
    });

    it('it reports completion with half of the bytes missing', async () => {
      lab.misbehave({ early_complete: true });
      await startBackup('web-01');
      expect(await whenEnded()).toMatchObject({ status: 'completed', bytes_transferred: 96 * 1024 * 1024 });
    });

    it('it refuses settings that it does not know', async () => {
      const answer = await call('POST', '/lab/misbehave', { be_nice: true });
      expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('be_nice')]);
    });
  });

  it('keeps the password to itself', async () => {
    const facts = await (await call('GET', '/lab/facts')).text();
    expect(facts).toContain(lab.vcenter.username);
    expect(facts).not.toContain(lab.vcenter.password);
  });
});

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill();
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
