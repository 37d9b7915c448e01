import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Json } from '../kit/api-client.js';
import { expectIdentical, type KeptPoint, takePoint } from '../kit/kept-points.js';
import { endOf, protect, type ProtectedVm } from '../kit/protected-vm.js';
import { type RunningOma, runningOma } from '../kit/running-oma.js';
import { KIB, MIB, smallVm, startSmallLab } from '../kit/small-guests.js';

const PATH = '/Lab/vm/inc';

/** The fullest example of each fault that this suite would have caught stands in contract-c, 5.17 and 6.7. */
describe('increments', () => {
  let lab: Awaited<ReturnType<typeof startSmallLab>>;
  let oma: RunningOma;
  let vm: ProtectedVm;
  beforeEach(async () => {
    lab = await startSmallLab([smallVm('inc', [4, 2])]);
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '20700-20719' });
    vm = await protect(oma.api, lab, 'inc', oma.dataDir);
  });
  afterEach(async () => {
    await oma.clear();
    await lab.clear();
  });

  const take = (order: Json = {}, of: ProtectedVm = vm) => takePoint(oma.api, lab, of, PATH, lab.folder, order);
  const good = async (order: Json = {}, of: ProtectedVm = vm): Promise<KeptPoint> => {
    const point = await take(order, of);
    if (point.job['status'] !== 'completed') throw new Error(JSON.stringify(point.job['error']));
    return point;
  };
  const write = (offset: number, length: number, fill: number, key = 2000) =>
    lab.guest(PATH, key).write(offset, Buffer.alloc(length, fill));
  const imageOf = (point: KeptPoint, disk = 0) =>
    join(vm.repositoryPath, String(point.backup.disks[disk]?.['file_path']));
  const chain = async (query = '') => (await oma.api.get(`/backup/chain?vm_context_id=${vm.contextId}${query}`)).body;
  const start = (order: Json) =>
    oma.api.post('/backup/start', { vm_name: vm.contextId, repository_id: vm.repositoryId, ...order });

  it('copy what changed on top of the newest good point, and every point stays what it was', async () => {
    await write(0, 2 * MIB, 1);
    const points = [await good()];
    await write(64 * KIB, 64 * KIB, 2);
    await lab.guest(PATH, 2000).zero(MIB, 128 * KIB);
    await lab.guest(PATH, 2000).discard(1536 * KIB, 128 * KIB);
    await write(512 * KIB, 4 * KIB, 3, 2016);
    points.push(await good());
    points.push(await good({ backup_type: 'incremental' }));

    expect(points.map(({ backup }) => backup['backup_type'])).toEqual(['full', 'incremental', 'incremental']);
    expect(points[0]?.backup.disks[0]).toMatchObject({ mode: 'full', reason: 'no-restore-point' });
    expect(points[1]?.backup.disks).toMatchObject([
      {
        mode: 'incremental',
        parent_backup_id: points[0]?.backupId,
        bytes_transferred: 320 * KIB,
        compared_with_source: true,
      },
      { mode: 'incremental', parent_backup_id: points[0]?.backupId, bytes_transferred: 64 * KIB },
    ]);
    expect(points[2]?.backup.disks).toMatchObject([
      { parent_backup_id: points[1]?.backupId, bytes_transferred: 0, bytes_to_copy: 0 },
      { parent_backup_id: points[1]?.backupId, bytes_transferred: 0 },
    ]);
    for (const point of points) expectIdentical(vm, point);
  });

  it('write hardly more than what changed', async () => {
    await write(0, 4 * MIB, 1);
    await good();
    await write(0, 256 * KIB, 2);
    const point = await good();
    expect(statSync(imageOf(point)).blocks * 512).toBeLessThan(256 * KIB * 1.05 + MIB);
  });

  it('never make a full backup of anything less than the whole disk, whatever points there are', async () => {
    await write(0, 2 * MIB, 1);
    await good();
    await write(0, 64 * KIB, 2);
    const second = await good({ backup_type: 'full' });
    expect(second.backup.disks[0]).toMatchObject({ mode: 'full', reason: 'asked-for', bytes_transferred: 4 * MIB });
    expectIdentical(vm, second);
  });

  it('stand on points of their own repository alone', async () => {
    await write(0, MIB, 1);
    const first = await good();
    await write(0, 64 * KIB, 2);
    const elsewhere = { ...vm, ...(await otherRepository()) };
    const other = await good({}, elsewhere);
    expect(other.backup.disks[0]).toMatchObject({ mode: 'full', reason: 'no-restore-point' });
    await write(MIB, 64 * KIB, 3);
    const back = await good();
    expect(back.backup.disks[0]).toMatchObject({ parent_backup_id: first.backupId, bytes_transferred: 128 * KIB });
    for (const point of [first, back]) expectIdentical(vm, point);
    expectIdentical(elsewhere, other);
  });

  it('stand on the last good point after one that failed, and hold all that changed since', async () => {
    await write(0, MIB, 1);
    const first = await good();
    await write(0, 128 * KIB, 2);
    lab.misbehave({ fail_at_byte: 64 * KIB });
    expect((await take()).job).toMatchObject({ status: 'failed' });
    lab.misbehave({});
    expect((await chain())['backup_count']).toBe(1);
    await write(MIB, 64 * KIB, 3);
    const next = await good();
    expect(next.backup.disks[0]).toMatchObject({ parent_backup_id: first.backupId, bytes_transferred: 192 * KIB });
    expectIdentical(vm, next);
  });

  it.each<[string, (first: KeptPoint) => Promise<void> | void]>([
    ['change-tracking-reset', () => lab.guest(PATH, 2000).resetTracking()],
    ['change-tracking-off', () => lab.guest(PATH, 2000).tracking(false)],
    ['disk-resized', () => lab.guest(PATH, 2000).resize(5 * MIB)],
    [
      'parent-missing',
      (first) => {
        renameSync(imageOf(first), `${imageOf(first)}.away`);
      },
    ],
    [
      'parent-unreadable',
      (first) => {
        writeFileSync(imageOf(first), 'nothing');
      },
    ],
    [
      'parent-altered',
      (first) => {
        writeFileSync(`${imageOf(first)}.manifest`, 'other');
      },
    ],
  ])('give way to a full backup: %s', async (reason, happens) => {
    await write(0, MIB, 1);
    const first = await good();
    await happens(first);
    await write(0, 64 * KIB, 2);
    expect(await start({ backup_type: 'incremental' })).toMatchObject({
      status: 422,
      body: { code: 'incremental-not-possible', disks: [{ disk_id: 0, reason }] },
    });
    const point = await good();
    expect(point.backup.disks).toMatchObject([
      { mode: 'full', reason },
      { mode: 'incremental', parent_backup_id: first.backupId },
    ]);
    expect(point.backup).toMatchObject({ requested_type: 'auto', backup_type: 'incremental' });
    expectIdentical(vm, point);
  });

  it('are shown as chains, the newest first, with every layer', async () => {
    await write(0, MIB, 1);
    const first = await good();
    const second = await good();
    await lab.guest(PATH, 2000).resetTracking();
    const third = await good({ disk_id: 0 });
    const newest = await chain();
    expect(newest).toMatchObject({
      full_backup_id: third.backupId,
      backup_count: 1,
      layers: [{ backup_id: third.backupId, parent_backup_id: null, mode: 'full', health: 'good' }],
      other_chains: [{ full_backup_id: first.backupId, backup_count: 2 }],
    });
    const older = await chain(`&chain_id=${String((newest['other_chains'] as Json[])[0]?.['chain_id'])}`);
    expect(older).toMatchObject({
      disk_id: 0,
      backups: [{ backup_id: first.backupId }, { backup_id: second.backupId }],
      layers: [
        { backup_id: first.backupId, parent_backup_id: null },
        {
          backup_id: second.backupId,
          parent_backup_id: first.backupId,
          base_change_id: first.backup.disks[0]?.['change_id'],
        },
      ],
    });
    expect(await chain('&disk_id=7')).toMatchObject({ chain_id: '', backups: [], layers: [] });
    expect((await oma.api.get('/backup/chain')).status).toBe(400);
    expect((await oma.api.get('/backup/chain?vm_name=nobody')).status).toBe(404);
  });

  it('stand on an older point when the newest was found damaged, and the finding says where', async () => {
    await write(0, MIB, 1);
    const first = await good();
    await write(128 * KIB, 64 * KIB, 2);
    const second = await good();
    spoil(imageOf(second), Buffer.alloc(512, 2));
    const job = await verify(second.backupId);
    expect(job).toMatchObject({ job_type: 'verification', status: 'completed' });
    const { body: listed } = await oma.api.get<{ jobs: Json[] }>('/jobs?job_type=verification');
    expect(listed.jobs).toMatchObject([{ job_id: job['job_id'] }]);
    expect((await chain())['layers']).toMatchObject([
      { backup_id: first.backupId, health: 'good', damage: null },
      { backup_id: second.backupId, health: 'damaged', damage: { offset_bytes: 128 * KIB, length_bytes: 64 * KIB } },
    ]);
    const third = await good();
    expect(third.backup.disks[0]).toMatchObject({ parent_backup_id: first.backupId });
    expectIdentical(vm, third);
    expect(await verify(third.backupId)).toMatchObject({ status: 'completed' });
  });

  it('can not stand on points that are all damaged, and say so', async () => {
    await write(128 * KIB, 64 * KIB, 0x5a);
    const only = await good();
    spoil(imageOf(only), Buffer.alloc(4 * KIB, 0x5a));
    await verify(only.backupId);
    expect(await start({ backup_type: 'incremental' })).toMatchObject({
      status: 422,
      body: { code: 'incremental-not-possible', disks: [{ disk_id: 0, reason: 'restore-points-damaged' }] },
    });
    expect((await good()).backup.disks).toMatchObject([
      { mode: 'full', reason: 'restore-points-damaged' },
      { mode: 'incremental' },
    ]);
  });

  it('are not called damaged when their repository is away, and verified when it is back', async () => {
    const point = await good();
    renameSync(vm.repositoryPath, `${vm.repositoryPath}.away`);
    const job = await verify(point.backupId);
    expect(job).toMatchObject({ status: 'failed', error: { code: 'repository-not-marked' } });
    renameSync(`${vm.repositoryPath}.away`, vm.repositoryPath);
    expect((await chain())['layers']).toMatchObject([{ health: 'good', damage: null, verified_at: null }]);
    expect(await verify(point.backupId)).toMatchObject({ status: 'completed' });
    expect((await chain())['layers']).toMatchObject([{ health: 'good', verified_at: expect.any(String) }]);
  });

  it('are not begun while the VM has other disks than OMA knows, and have all of them once it was added again', async () => {
    await good();
    lab.misbehave({ hide_disks: [2016] });
    const gone = { code: 'vm-disks-changed', added_device_keys: [], removed_device_keys: [2016] };
    expect(await start({ backup_type: 'auto' })).toMatchObject({ status: 422, body: gone });
    await addAgain();
    expect((await good()).backup.disks).toMatchObject([{ disk_id: 0, device_key: 2000, mode: 'incremental' }]);
    lab.misbehave({});
    const come = { code: 'vm-disks-changed', added_device_keys: [2016], removed_device_keys: [] };
    expect(await start({ backup_type: 'auto' })).toMatchObject({ status: 422, body: come });
    await addAgain();
    expect((await good()).backup.disks).toMatchObject([{ mode: 'incremental' }, { disk_id: 1, device_key: 2016 }]);
  });

  const addAgain = async () => {
    const order = { credential_id: vm.credentialId, vm_names: ['inc'] };
    const { body } = await oma.api.post<{ processed_vms: Json[] }>('/discovery/add-vms', order);
    expect(body.processed_vms).toMatchObject([{ context_id: vm.contextId, already_existed: true }]);
  };

  const verify = async (backupId: string) => {
    const { status, body } = await oma.api.post(`/backup/${backupId}/verify`, {});
    expect(status).toBe(202);
    return endOf(oma.api, String(body['job_id']));
  };

  const otherRepository = async () => {
    const path = join(oma.dataDir, 'elsewhere');
    const { body } = await oma.api.post<{ id: string }>('/repositories', {
      name: 'elsewhere',
      type: 'local',
      config: { path },
    });
    return { repositoryId: body.id, repositoryPath: path };
  };
});

/** Turns one bit where the pattern first stands. */
function spoil(file: string, pattern: Buffer): void {
  const bytes = readFileSync(file);
  const at = bytes.indexOf(pattern);
  expect(at).toBeGreaterThan(0);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(file, bytes);
}
