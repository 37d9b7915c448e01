import { describe, expect, it } from '@jest/globals';

import { replay } from '../kernel/decider.js';
import { backup, type BackupCommand, type BackupEvent } from './backup.js';
import {
  BackupIsOver,
  CompletionMissing,
  DiskNotInJob,
  DiskReportedOtherwise,
  ProofMissing,
  UnknownBackup,
} from './backup.errors.js';
import { type BackupPlan, type DiskProof, type PlannedDisk, spaceFor } from './backup-plan.js';

const disk = (diskId: number, sizeBytes: number) => ({
  diskId,
  deviceKey: 2000 + diskId * 16,
  sizeBytes,
  image: `ctx/disk-${diskId}/job.qcow2`,
  mode: { is: 'full', because: 'asked-for' } as const,
});

const increment = (diskId: number, sizeBytes: number): PlannedDisk => ({
  ...disk(diskId, sizeBytes),
  mode: {
    is: 'incremental',
    parent: { backupId: 'base', changeId: 'a/0', manifestSha256: 'hash', layers: [`ctx/disk-${diskId}/base.qcow2`] },
  },
});
const plan: BackupPlan = {
  jobId: 'job',
  contextId: 'ctx',
  vmName: 'web-01',
  vmPath: '/dc/vm/web-01',
  credentialId: 1,
  repositoryId: 'repo',
  root: '/srv/backups',
  agent: 'default',
  askedFor: 'full',
  backupType: 'full',
  bandwidth: { jobBytesPerSecond: null, repositoryBytesPerSecond: null },
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
    bytesToCopy: planned.sizeBytes,
    changeId: null,
    manifestSha256: 'hash',
    dataBytes: 500,
    comparedWithSource: true,
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
    ['less than the whole disk was to be copied', [proof(0, { bytesCopied: 500, bytesToCopy: 500 }), proof(1)]],
    ['a content manifest is missing', [proof(0, { manifestSha256: null }), proof(1)]],
  ])('does not become a restore point when %s', (_case, disks) => {
    expect(() => decide([started], complete(...disks))).toThrow(ProofMissing);
    expect(() => decide([started], { type: 'ProveBackup', jobId: 'job', contextId: 'ctx', disks })).toThrow(
      ProofMissing,
    );
  });

  it('waits for the word of an agent that tells of a disk only by completing it', () => {
    const disks = [proof(0, { bytesCopied: null, bytesToCopy: null }), proof(1)];
    const prove = () => decide([started], { type: 'ProveBackup', jobId: 'job', contextId: 'ctx', disks });
    expect(prove).toThrow(CompletionMissing);
    expect(prove).toThrow(expect.objectContaining({ kind: 'unavailable', code: 'proof-missing' }));
  });

  it('is proven once', () => {
    const disks = [proof(0), proof(1)];
    const prove: BackupCommand = { type: 'ProveBackup', jobId: 'job', contextId: 'ctx', disks };
    const provenEvent: BackupEvent = { type: 'BackupProven', data: { jobId: 'job', changeIds: {} } };
    expect(decide([started], prove)).toEqual([provenEvent]);
    expect(decide([started, provenEvent], prove)).toEqual([]);
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
    expect(spaceFor([disk(0, 1024 ** 3)])).toBe(1024 ** 3 + 2 * 1024 ** 2);
  });

  it('needs room for the tables alone where only what changed is copied', () => {
    expect(spaceFor([increment(0, 1024 ** 3)])).toBe(2 * 1024 ** 2);
  });

  describe('with an increment', () => {
    const small: BackupEvent = { type: 'BackupStarted', data: { ...plan, disks: [increment(0, 1000)] } };

    it('is proven by as many bytes as had changed, none included', () => {
      for (const bytes of [0, 300]) {
        const counts = { bytesCopied: bytes, bytesToCopy: bytes, changeId: 'A/9' };
        const [completed] = decide([small], complete(proof(0, counts)));
        expect(completed?.type).toBe('BackupCompleted');
      }
    });

    it.each([
      ['fewer bytes were copied than had changed', { bytesCopied: 200, bytesToCopy: 300 }],
      ['more was copied than the disk holds', { bytesCopied: 1001, bytesToCopy: 1001 }],
      ['tracking was reset since its base', { changeId: 'b/1' }],
      ['the agent told no bookmark', { changeId: null }],
    ])('is not proven when %s', (_case, changes) => {
      const others = { bytesCopied: 300, bytesToCopy: 300, changeId: 'a/9' };
      expect(() => decide([small], complete(proof(0, { ...others, ...changes })))).toThrow(ProofMissing);
    });
  });

  describe('told of a disk by its agent', () => {
    const report = (changes: Partial<Extract<BackupCommand, { type: 'ReportDisk' }>> = {}): BackupCommand => ({
      type: 'ReportDisk',
      jobId: 'job',
      agent: 'default',
      diskId: 1,
      deviceKey: null,
      changeId: 'a/1',
      ...changes,
    });
    const reported: BackupEvent = { type: 'DiskReported', data: { jobId: 'job', deviceKey: 2016, changeId: 'a/1' } };

    it('takes it down once, named by number or by key', () => {
      expect(decide([started], report())).toEqual([reported]);
      expect(decide([started], report({ diskId: null, deviceKey: 2016 }))).toEqual([reported]);
      expect(decide([started, reported], report())).toEqual([]);
    });

    it.each([
      ['another bookmark than before', report({ changeId: 'a/2' }), DiskReportedOtherwise],
      ['a disk that it does not copy', report({ diskId: 7 }), DiskNotInJob],
      ['no disk at all', report({ diskId: null }), DiskNotInJob],
      ['number and key of two disks', report({ deviceKey: 2000 }), DiskNotInJob],
      ['a disk by another agent', report({ agent: 'other' }), UnknownBackup],
    ])('refuses %s', (_case, command, refusal) => {
      expect(() => decide([started, reported], command)).toThrow(refusal);
    });

    it('refuses it before it began and after its end', () => {
      expect(() => decide([], report())).toThrow(UnknownBackup);
      expect(() => decide([started, ...decide([started], fail)], report())).toThrow(BackupIsOver);
    });

    it('keeps the bookmark with the restore point, also of an agent that tells nothing else', () => {
      const silent = proof(1, { bytesCopied: null, bytesToCopy: null });
      const [completed] = decide([started, reported], complete(proof(0), silent));
      expect(completed).toMatchObject({ data: { disks: [{ changeId: null }, { changeId: 'a/1' }] } });
    });

    it('takes the same bookmark in another spelling for the same', () => {
      expect(decide([started, reported], report({ changeId: 'A/1' }))).toEqual([]);
      const [completed] = decide([started, reported], complete(proof(0), proof(1, { changeId: 'A/1' })));
      expect(completed?.type).toBe('BackupCompleted');
    });

    it('is proven with the bookmarks of its disks, told with their completion or otherwise', () => {
      const disks = [proof(0, { changeId: 'b/2' }), proof(1, { bytesCopied: null, bytesToCopy: null })];
      const prove: BackupCommand = { type: 'ProveBackup', jobId: 'job', contextId: 'ctx', disks };
      expect(decide([started, reported], prove)).toEqual([
        { type: 'BackupProven', data: { jobId: 'job', changeIds: { 2000: 'b/2', 2016: 'a/1' } } },
      ]);
    });

    it('takes nothing new once it is proven, so that the end is the one that was proven', () => {
      const provenEvent: BackupEvent = { type: 'BackupProven', data: { jobId: 'job', changeIds: { 2016: 'a/1' } } };
      const history: BackupEvent[] = [started, reported, provenEvent];
      expect(decide(history, report())).toEqual([]);
      expect(() => decide(history, report({ diskId: 0 }))).toThrow(BackupIsOver);
    });

    it('is not proven when the agent told two bookmarks of one disk', () => {
      const other = proof(1, { changeId: 'a/2' });
      expect(() => decide([started, reported], complete(proof(0), other))).toThrow(ProofMissing);
    });
  });
});
