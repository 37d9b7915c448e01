import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { startTestLab } from '../kit/lab.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';

describe('backups', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let web: ProtectedVm;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '20100-20199' });
    web = await protect(oma.api, lab, 'web-01', oma.dataDir);
  }, 120_000);

  afterEach(() => {
    lab.misbehave({});
  });

  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  });

  it('copies both disks of a VM whole, byte by byte', async () => {
    const backupId = await startBackup(oma.api, web, { tags: { why: 'test' }, policy_id: 'nightly' });
    const job = await endOf(oma.api, backupId);
    expect(job).toMatchObject({ status: 'completed', progress_percent: 100, leftovers: [] });
    const { body } = await oma.api.get(`/backup/${backupId}`);
    expect(body).toMatchObject({
      status: 'completed',
      backup_type: 'full',
      progress_percent: 100,
      bytes_transferred: body['total_bytes'],
      tags: { why: 'test' },
      policy_id: 'nightly',
    });
    const disks = body['disks'] as { device_key: number; file_path: string; change_id: string }[];
    const source = lab.vms.find((vm) => vm.name === 'web-01')?.disks ?? [];
    expect(disks.map((disk) => disk.device_key)).toEqual(source.map((disk) => disk.deviceKey));
    for (const [index, disk] of disks.entries()) {
      const image = join(web.repositoryPath, disk.file_path);
      const compared = ['compare', '-f', 'raw', '-F', 'qcow2', String(source[index]?.file), image];
      expect(execFileSync('qemu-img', compared, { encoding: 'utf8' })).toContain('identical');
      expect(disk.change_id).toMatch(/^([0-9a-f]{2}[ -]){15}[0-9a-f]{2}\/\d+$/);
    }
  }, 60_000);

  it('are listed by whatever their VM answers to, and none of a VM that is unknown or has none', async () => {
    const bare = await protect(oma.api, lab, 'db-01', oma.dataDir);
    await endOf(oma.api, await startBackup(oma.api, web));
    const listed = async (ref: string, more = '') => {
      const { status, body } = await oma.api.get(`/backup/list?vm_name=${encodeURIComponent(ref)}${more}`);
      const backups = body['backups'] as { vm_context_id: string }[] | undefined;
      return { status, total: body['total'], of: [...new Set(backups?.map((one) => one.vm_context_id))] };
    };
    const { total } = (await oma.api.get(`/backup/list?vm_context_id=${web.contextId}`)).body;
    expect(total).toBeGreaterThan(0);
    const uuid = lab.vms.find((vm) => vm.name === 'web-01')?.id ?? '';
    for (const ref of ['web-01', web.contextId, uuid]) {
      expect(await listed(ref)).toEqual({ status: 200, total, of: [web.contextId] });
    }
    expect(await listed('web-01', '&status=failed&backup_type=incremental')).toEqual({ status: 200, total: 0, of: [] });
    expect(await listed('web-01', `&vm_context_id=${bare.contextId}`)).toEqual({ status: 200, total: 0, of: [] });
    expect(await listed('db-01')).toEqual({ status: 200, total: 0, of: [] });
    expect(await listed('nobody')).toMatchObject({ status: 404 });
    const twins: ProtectedVm[] = [];
    for (const { path } of lab.vms.filter(({ name }) => name === 'twin')) {
      const twin = await protect(oma.api, lab, path, oma.dataDir);
      await endOf(oma.api, await startBackup(oma.api, twin));
      twins.push(twin);
    }
    expect(await listed('twin')).toMatchObject({ status: 409 });
    for (const { contextId } of twins)
      expect(await listed(contextId)).toEqual({ status: 200, total: 1, of: [contextId] });
  }, 60_000);

  it('can be followed by the next one as soon as its job is over, and be opened by then', async () => {
    for (let round = 0; round < 4; round += 1) {
      const backupId = await startBackup(oma.api, web, { disk_id: 1 });
      await endOf(oma.api, backupId);
      expect((await oma.api.get(`/backup/${backupId}`)).body['status']).toBe('completed');
      const { status, body } = await oma.api.post('/restore/mount', { backup_id: backupId });
      expect(status).toBe(200);
      const mountId = String(body['mount_id']);
      await endOf(oma.api, mountId);
      expect((await oma.api.get(`/restore/${mountId}/files?path=/`)).status).toBe(200);
      await oma.api.delete(`/restore/${mountId}`);
    }
  }, 60_000);
});
