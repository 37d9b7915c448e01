import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import type { MisbehaviourSettings } from '#lab/vma/misbehaviour';

import type { Json } from '../kit/api-client.js';
import { expectIdentical, type KeptPoint, takePoint } from '../kit/kept-points.js';
import { filesOfBackups } from '../kit/left-behind.js';
import { protect, type ProtectedVm } from '../kit/protected-vm.js';
import { type RunningOma, runningOma } from '../kit/running-oma.js';
import { KIB, MIB, smallVm, startSmallLab } from '../kit/small-guests.js';

const PATH = '/Lab/vm/lied';

describe('an agent that lies', () => {
  let lab: Awaited<ReturnType<typeof startSmallLab>>;
  let oma: RunningOma;
  let vm: ProtectedVm;
  beforeAll(async () => {
    lab = await startSmallLab([smallVm('lied', [2, 1])]);
    oma = await runningOma({
      OMA_VMA_URL: lab.url,
      OMA_VMA_TOKEN: lab.agentToken,
      OMA_NBD_PORTS: '20760-20779',
      OMA_AGENT_STALLED_SECONDS: '2',
    });
    lab.connect(oma.api.url);
    vm = await protect(oma.api, lab, 'lied', oma.dataDir);
    await lab.guest(PATH, 2000).write(0, Buffer.alloc(MIB, 1));
    expect((await take({ backup_type: 'full' })).job).toMatchObject({ status: 'completed' });
  }, 60_000);
  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  });
  afterEach(() => {
    lab.misbehave({});
  });

  const take = (order: Json) => takePoint(oma.api, lab, vm, PATH, lab.folder, order);
  let fill = 1;
  /** A change to copy: data and zeros. */
  const changed = async () => {
    fill += 1;
    await lab.guest(PATH, 2000).write(0, Buffer.alloc(192 * KIB, fill));
    await lab.guest(PATH, 2000).zero(512 * KIB, 128 * KIB);
    await lab.guest(PATH, 2000).write(640 * KIB, Buffer.alloc(64 * KIB, fill));
  };
  const lying = async (type: string, lie: MisbehaviourSettings): Promise<KeptPoint> => {
    await changed();
    lab.misbehave(lie);
    return take({ backup_type: type });
  };

  it.each<[string, MisbehaviourSettings, string]>([
    ['full', { flip_byte_at: 70 * KIB }, 'content-differs'],
    ['full', { wrong_hashes: true }, 'content-differs'],
    ['full', { early_complete: true }, 'agent-lied'],
    ['full', { never_connect: true }, 'export-unused'],
    ['full', { lie_about_bytes: 2 * MIB }, 'agent-lied'],
    ['full', { write_outside: 'report' }, 'agent-failed'],
    ['full', { wrong_change_id: 'another' }, 'proof-missing'],
    ['full', { hang_at_byte: MIB }, 'agent-stalled'],
    ['full', { die_and_return: { at_byte: MIB, away_ms: 300 } }, 'export-second-client'],
    ['incremental', { flip_byte_at: 10 * KIB }, 'content-differs'],
    ['incremental', { wrong_hashes: true }, 'content-differs'],
    ['incremental', { early_complete: true }, 'agent-lied'],
    ['incremental', { skip_changed: true }, 'content-differs'],
    ['incremental', { skip_zeros: true }, 'content-differs'],
    ['incremental', { wrong_mode: 'say so' }, 'agent-lied'],
    ['incremental', { wrong_base: 'say so' }, 'agent-lied'],
  ])('is caught in a %s backup: %j', async (type, lie, code) => {
    const before = filesOfBackups(vm.repositoryPath).length;
    const point = await lying(type, lie);
    expect(point.job).toMatchObject({ status: 'failed', error: { code }, leftovers: [] });
    expect(filesOfBackups(vm.repositoryPath)).toHaveLength(before);
  });

  it.each<[string, MisbehaviourSettings]>([
    ['full', { write_outside: 'ignore' }],
    ['full', { wrong_change_id: 'malformed' }],
    ['full', { complete_wrong_disk: true }],
    ['full', { complete_twice: 'same' }],
    ['full', { complete_twice: 'otherwise' }],
    ['full', { telemetry_backwards: true }],
    ['incremental', { wrong_mode: 'lie' }],
  ])('does no harm to a %s backup by %j', async (type, lie) => {
    const point = await lying(type, lie);
    expect(point.job).toMatchObject({ status: 'completed' });
    expectIdentical(vm, point);
  });

  /** The limits that docs/adr/0009 names: nobody but the agent sees the source. */
  it.each<[string, MisbehaviourSettings]>([
    ['full', { no_hashes: true, flip_byte_at: 70 * KIB }],
    ['incremental', { wrong_base: 'lie' }],
  ])('can not be caught in a %s backup by %j, and the API says what was compared', async (type, lie) => {
    const point = await lying(type, lie);
    expect(point.job).toMatchObject({ status: 'completed' });
    expect(point.backup.disks[0]).toMatchObject({ compared_with_source: lie.no_hashes !== true });
    expect(() => {
      expectIdentical(vm, point);
    }).toThrow();
  });

  it('is believed again once it tells the truth', async () => {
    await changed();
    const point = await take({ backup_type: 'full' });
    expect(point.job).toMatchObject({ status: 'completed' });
    expectIdentical(vm, point);
  });
});

describe('an agent of the first generation', () => {
  it('copies a disk per job, from the base it is told, and completes each; a reset costs one backup', async () => {
    const lab = await startSmallLab([smallVm('lied', [2, 1])], { agentKind: 'legacy' });
    const oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_VMA_TOKEN: lab.agentToken, OMA_NBD_PORTS: '20780-20799' });
    try {
      lab.connect(oma.api.url);
      const vm = await protect(oma.api, lab, 'lied', oma.dataDir);
      await lab.guest(PATH, 2000).write(0, Buffer.alloc(MIB, 1));
      const first = await takePoint(oma.api, lab, vm, PATH, lab.folder);
      expect(first.job).toMatchObject({ status: 'completed' });
      await lab.guest(PATH, 2000).write(0, Buffer.alloc(64 * KIB, 2));
      const second = await takePoint(oma.api, lab, vm, PATH, lab.folder);
      expect(second.job).toMatchObject({ status: 'completed' });
      expect(second.backup.disks).toMatchObject([
        { mode: 'incremental', parent_backup_id: first.backupId, base_change_id: first.backup.disks[0]?.['change_id'] },
        { mode: 'incremental', parent_backup_id: first.backupId },
      ]);
      for (const point of [first, second]) {
        expectIdentical(vm, point);
        for (const disk of point.backup.disks) {
          const sidecar = readFileSync(join(vm.repositoryPath, `${String(disk['file_path'])}.json`), 'utf8');
          expect(JSON.parse(sidecar)).toMatchObject({ disk_id: disk['disk_id'], change_id: disk['change_id'] });
        }
      }

      await lab.guest(PATH, 2000).resetTracking();
      await lab.guest(PATH, 2000).write(64 * KIB, Buffer.alloc(64 * KIB, 3));
      const third = await takePoint(oma.api, lab, vm, PATH, lab.folder);
      expect(third.job).toMatchObject({ status: 'failed', error: { code: 'proof-missing' }, leftovers: [] });
      const fourth = await takePoint(oma.api, lab, vm, PATH, lab.folder);
      expect(fourth.job).toMatchObject({ status: 'completed' });
      expect(fourth.backup.disks).toMatchObject([
        { mode: 'full', reason: 'change-tracking-reset' },
        { mode: 'incremental', parent_backup_id: second.backupId },
      ]);
      for (const point of [first, second, fourth]) expectIdentical(vm, point);
    } finally {
      await oma.clear();
      await lab.clear();
    }
  }, 60_000);
});
