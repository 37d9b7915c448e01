import { describe, expect, it } from '@jest/globals';

import { type EarlierPlan, type EarlierProof, planOfToday, proofOfToday } from './earlier-shapes.js';

/** As written by OMA before there were increments; kept for ever. */
const PLAN = JSON.parse(
  '{"jobId":"j","contextId":"c","vmName":"web-01","vmPath":"/dc/vm/web-01","credentialId":1,"repositoryId":"r","root":"/srv","backupType":"full","policyId":null,"tags":{},"disks":[{"diskId":0,"deviceKey":2000,"sizeBytes":1000,"image":"c/disk-0/j.qcow2"}]}',
) as EarlierPlan;
const PROOF = JSON.parse(
  '{"diskId":0,"deviceKey":2000,"image":"c/disk-0/j.qcow2","virtualSizeBytes":1000,"fileSizeBytes":500,"bytesCopied":1000,"changeId":null}',
) as EarlierProof;

describe('facts of the time before increments', () => {
  it('are full copies of the one agent', () => {
    expect(planOfToday(PLAN)).toEqual({
      ...PLAN,
      agent: 'default',
      askedFor: 'full',
      bandwidth: { jobBytesPerSecond: null, repositoryBytesPerSecond: null },
      disks: [{ ...PLAN.disks[0], mode: { is: 'full', because: 'asked-for' } }],
    });
  });

  it('have no content manifest, so that nothing is built on them', () => {
    expect(proofOfToday(PROOF)).toMatchObject({ bytesToCopy: 1000, manifestSha256: null, comparedWithSource: false });
  });

  it('pass unchanged once they are of today', () => {
    const plan = planOfToday(PLAN);
    expect(planOfToday(plan)).toEqual(plan);
    expect(proofOfToday(proofOfToday(PROOF))).toEqual(proofOfToday(PROOF));
  });
});
