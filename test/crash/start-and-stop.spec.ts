import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { filesOfBackups, leftBehind } from '../kit/left-behind.js';
import { OmaProcess } from '../kit/oma-process.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';

const MIB = 1024 * 1024;

describe('stopping and starting', () => {
  let oma: OmaProcess;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;
  let restorePoint: string;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await OmaProcess.start({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21400-21499' });
    vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
    restorePoint = await startBackup(oma.api, vm);
    await endOf(oma.api, restorePoint);
  }, 120_000);

  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  }, 60_000);

  const run = () => join(oma.dataDir, 'run');

  it('ends what is under way, so that a clean stop leaves nothing', async () => {
    const before = filesOfBackups(vm.repositoryPath);
    const { body } = await oma.api.post('/restore/mount', { backup_id: restorePoint });
    await endOf(oma.api, String(body['mount_id']));
    lab.misbehave({ bytes_per_second: MIB });
    const jobId = await startBackup(oma.api, vm);
    await eventually(async () => {
      expect((await oma.api.get(`/backup/${jobId}`)).body['bytes_transferred']).toBeGreaterThan(0);
    });
    expect(await oma.stop()).toBe(0);
    lab.misbehave({});
    expect(leftBehind(run())).toEqual([]);
    expect(filesOfBackups(vm.repositoryPath)).toEqual(before);
    await oma.restart();
    expect((await oma.api.get(`/jobs/${jobId}`)).body).toMatchObject({ status: 'cancelled', leftovers: [] });
    expect((await oma.api.get(`/backup/${restorePoint}`)).body['status']).toBe('completed');
    expect((await oma.api.get('/restore/mounts')).body['count']).toBe(0);
  }, 60_000);

  it('removes at the start what belongs to nothing, and touches nothing else', async () => {
    await oma.stop();
    const lost = join(run(), 'exports', 'lost-1');
    mkdirSync(lost, { recursive: true });
    writeFileSync(join(lost, 'qemu-nbd.log'), '');
    mkdirSync(join(run(), 'mounts', 'lost-2', 'disk'), { recursive: true });
    const image = join(oma.dataDir, 'lost.qcow2');
    spawnSync('qemu-img', ['create', '-f', 'qcow2', image, '1M']);
    const pidFile = `--pid-file=${join(lost, 'qemu-nbd.pid')}`;
    const socket = `--socket=${join(lost, 'nbd.sock')}`;
    const orphan = spawn('qemu-nbd', ['--persistent', pidFile, socket, image], { stdio: 'ignore', detached: true });
    await eventually(() => {
      expect(existsSync(join(lost, 'nbd.sock'))).toBe(true);
    });
    await oma.restart();
    await eventually(() => {
      expect(orphan.exitCode ?? orphan.signalCode).not.toBeNull();
    });
    expect(leftBehind(run())).toEqual([]);
    expect(readdirSync(join(run(), 'exports'))).toEqual([]);
    expect(readdirSync(join(run(), 'mounts'))).toEqual([]);
    expect(existsSync(image)).toBe(true);
  }, 60_000);

  it('lets nobody else into its data folder', () => {
    const other = spawnSync(process.execPath, ['dist/src/main.js', '--ready-line'], {
      env: { PATH: process.env['PATH'], OMA_PORT: '0', OMA_DATA_DIR: oma.dataDir, DATABASE_URL: oma.databaseUrl },
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(other.status).toBe(1);
    expect(other.stderr).toContain('another OMA');
  }, 40_000);

  it.each([
    [{ OMA_PORT: 'eighty' }, 'OMA_PORT'],
    [{ OMA_ADMIN_PASSWORD: 'short' }, 'OMA_ADMIN_PASSWORD'],
    [{ OMA_MASTER_KEY: 'not hex' }, 'OMA_MASTER_KEY'],
  ])('says which setting is wrong and never its value: %j', (settings, name) => {
    const refused = spawnSync(process.execPath, ['dist/src/main.js'], {
      env: { PATH: process.env['PATH'], ...settings },
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(refused.status).toBe(78);
    expect(refused.stderr).toContain(name);
    expect(refused.stderr).not.toContain(Object.values(settings)[0]);
  });

  it('does not start with another master key than the one that the vault was made with', async () => {
    await oma.stop();
    const refused = spawnSync(process.execPath, ['dist/src/main.js', '--ready-line'], {
      env: {
        PATH: process.env['PATH'],
        OMA_PORT: '0',
        OMA_DATA_DIR: oma.dataDir,
        DATABASE_URL: oma.databaseUrl,
        OMA_MASTER_KEY: 'ab'.repeat(32),
      },
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(refused.status).toBe(78);
    expect(refused.stderr).toContain('another master key');
    await oma.restart();
  }, 60_000);
});
