import { describe, expect, it } from '@jest/globals';

import type { BackupPlan } from '#domain/backup/backup-plan';
import type { StoredEvent } from '#domain/kernel/event';
import type { Finding } from '#domain/verification/verification';

import { backupProjection, type BackupRecord } from './backup.projection.js';

const plan: BackupPlan = {
  jobId: 'point',
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
  disks: [
    { diskId: 0, deviceKey: 2000, sizeBytes: 1, image: 'point.qcow2', mode: { is: 'full', because: 'asked-for' } },
  ],
};
const DAMAGE = { reason: 'the content is not what it was', offsetBytes: 0, lengthBytes: 1 };

describe('the rows of backups', () => {
  const looked = (hour: string, damage: Finding['damage']) => ({
    type: 'VerificationCompleted',
    data: {
      jobId: `look of ${hour}`,
      backupId: 'point',
      findings: [{ backupId: 'point', deviceKey: 2000, damage, readAt: `2026-01-01T${hour}:00:00.000Z` }],
    },
  });
  const rowAfter = (...events: readonly { type: string; data: object }[]): BackupRecord | null =>
    [{ type: 'VmHeld', data: { jobId: 'point', contextId: 'ctx', plan } }, ...events].reduce<BackupRecord | null>(
      (row, event) => {
        const stored = { ...event, recordedAt: new Date(0), id: 'id', stream: 'any' } as unknown as StoredEvent;
        return backupProjection.evolve(row, stored, 'point');
      },
      null,
    );

  it('keep the damage that a later look found, though an earlier one ends after it', () => {
    const row = rowAfter(looked('02', DAMAGE), looked('01', null));
    expect(row?.disks[0]?.damage).toMatchObject({ reason: DAMAGE.reason });
  });

  it('take a layer for good again that a later look found whole', () => {
    expect(rowAfter(looked('01', DAMAGE), looked('02', null))?.disks[0]?.damage).toBeNull();
  });
});
