import { describe, expect, it } from '@jest/globals';

import type { BackupPlan } from '#domain/backup/backup-plan';

import { agentCheck, agentCopies, copiedDisks } from './agent-steps.js';

const disk = (diskId: number) => ({
  diskId,
  deviceKey: 2000 + diskId,
  sizeBytes: 1000,
  image: `ctx/disk-${diskId}/job.qcow2`,
  mode: { is: 'full', because: 'asked-for' } as const,
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
  disks: [disk(0), disk(1)],
};
const stepsWith = (results: Parameters<typeof agentCopies>[1]) =>
  agentCopies(plan, results).map((group) => group.map(({ effect }) => effect.step));

describe('the copies of a backup', () => {
  it('are one job of an agent that takes all disks together', () => {
    expect(stepsWith({ 'agent-check': { together: true, hashes: true } })).toEqual([['agent'], ['copy']]);
  });

  it('are one job after another of an agent whose jobs remove the snapshots of its others', () => {
    const first = { 'agent-check': { together: false, hashes: false } };
    expect(stepsWith(first)).toEqual([['agent'], ['copy'], ['agent:2001'], ['copy:2001']]);
  });

  it('are given up by nobody but an agent that said it is there', () => {
    expect(agentCheck(plan, {}).undo).toBeUndefined();
    expect(agentCheck(plan, { 'agent-check': { together: true, hashes: true } }).undo?.kind).toBe('agent.stop');
  });

  it('are announced as one until the agent was asked', () => {
    expect(stepsWith({})).toEqual([['agent'], ['copy']]);
  });

  it('are known together, however many jobs they were', () => {
    const of = (deviceKey: number) => ({ deviceKey, bytesTransferred: null, bytesToCopy: null, changeId: null });
    const results = { copy: { disks: [of(2000)] }, 'copy:2001': { disks: [of(2001)] } };
    expect(copiedDisks(plan, results)).toEqual([of(2000), of(2001)]);
  });
});
