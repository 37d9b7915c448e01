import { describe, expect, it } from '@jest/globals';

import { replay } from '../kernel/decider.js';
import { backup, type BackupCommand, type BackupEvent } from './backup.js';
import { BackupIsOver, ProofMissing } from './backup.errors.js';
import { type BackupPlan, type DiskProof, spaceForFull } from './backup-plan.js';

const disk = (diskId: number, sizeBytes: number) => ({
  diskId,
  deviceKey: 2000 + diskId * 16,
  sizeBytes,
  image: `ctx/disk-${diskId}/job.qcow2`,
});

const plan: BackupPlan = {
  jobId: 'job',
  contextId: 'ctx',
  vmName: 'web-01',
  vmPath: '/dc/vm/web-01',
  credentialId: 1,
  repositoryId: 'repo',
  root: '/srv/backups',
  backupType: 'full',
  policyId: null,
  tags: {},
  disks: [disk(0, 1000), disk(1, 2000)],
};

const proof = (diskId: number, changes: Partial<DiskProof> = {}): DiskProof => {
  const planned = disk(diskId, (diskId + 1) * 1000);
  return {
    diskId,
    deviceKey: planned.deviceKey,
    image: planned.image,
    virtualSizeBytes: planned.sizeBytes,
    fileSizeBytes: 500,
    bytesCopied: planned.sizeBytes,
    changeId: null,
    ...changes,
  };
};

const started: BackupEvent = { type: 'BackupStarted', data: plan };
const complete = (...disks: DiskProof[]): BackupCommand => ({
  type: 'CompleteBackup',
  jobId: 'job',
  contextId: 'ctx',
  disks,
});
const fail: BackupCommand = {
  type: 'FailBackup',
  jobId: 'job',
  contextId: 'ctx',
  step: 'copy',
  code: 'agent-failed',
  message: 'the agent failed',
  remedy: null,
  leftovers: [],
};

const decide = (history: BackupEvent[], command: BackupCommand) => backup.decide(command, replay(backup, history));

describe('a backup', () => {
  it('starts once: a repeated start says nothing new', () => {
    expect(decide([], { type: 'StartBackup', plan })).toEqual([started]);
    expect(decide([started], { type: 'StartBackup', plan })).toEqual([]);
  });

  it('becomes a restore point when every planned disk is proven', () => {
    expect(decide([started], complete(proof(0), proof(1)))).toEqual([
      { type: 'BackupCompleted', data: { jobId: 'job', contextId: 'ctx', disks: [proof(0), proof(1)] } },
    ]);
  });

  it.each([
    ['a disk is missing', [proof(0)]],
    ['a disk is there that nobody planned', [proof(0), proof(1), proof(2)]],
    ['one disk is there twice', [proof(0), proof(0)]],
    ['an image has another size', [proof(0), proof(1, { virtualSizeBytes: 1999 })]],
    ['not every byte was copied', [proof(0), proof(1, { bytesCopied: 1999 })]],
    ['a size is not known', [proof(0, { virtualSizeBytes: -1 }), proof(1)]],
  ])('does not become a restore point when %s', (_case, disks) => {
    expect(() => decide([started], complete(...disks))).toThrow(ProofMissing);
    expect(() => decide([started], { type: 'ProveBackup', jobId: 'job', contextId: 'ctx', disks })).toThrow(
      ProofMissing,
    );
  });

  it('asks for proof without a fact of its own', () => {
    const disks = [proof(0), proof(1)];
    expect(decide([started], { type: 'ProveBackup', jobId: 'job', contextId: 'ctx', disks })).toEqual([]);
  });

  it('ends once: what comes after the end is not recorded', () => {
    const [failed] = decide([started], fail);
    expect(failed?.type).toBe('BackupFailed');
    expect(decide([started, failed!], complete(proof(0), proof(1)))).toEqual([]);
    expect(decide([started, failed!], fail)).toEqual([]);
  });

  it('can be cancelled before it started and while it runs, and not after it ended', () => {
    const cancel: BackupCommand = { type: 'RequestCancel', jobId: 'job' };
    const requested: BackupEvent = { type: 'BackupCancelRequested', data: { jobId: 'job' } };
    expect(decide([], cancel)).toEqual([requested]);
    expect(decide([started], cancel)).toEqual([requested]);
    expect(decide([started, requested], cancel)).toEqual([]);
    expect(() => decide([started, ...decide([started], fail)], cancel)).toThrow(BackupIsOver);
  });

  it('needs room for every block and the tables of the image', () => {
    expect(spaceForFull([{ sizeBytes: 1024 ** 3 }])).toBe(1024 ** 3 + 2 * 1024 ** 2);
  });
});
