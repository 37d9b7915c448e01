import type { BackupProven } from '#domain/backup/backup';
import type { BackupPlan, DiskProof, PlannedDisk } from '#domain/backup/backup-plan';
import type { BackupEffects } from '#domain/backup/effects';
import type { Results } from '#domain/kernel/sequence';

import { copiedDisks } from './agent-steps.js';

/** What is taken for the result of a step that hasn't succeeded: no decision takes it for proof. */
const UNCHECKED: BackupEffects['image.check']['result'] = { virtualSizeBytes: -1, fileSizeBytes: -1 };
const UNPROVED = { manifestSha256: null, dataBytes: -1, comparedWithSource: false };
const UNCOPIED = { bytesTransferred: -1, bytesToCopy: -1, changeId: null };

/** Everything known of a disk. */
export function proofOf(plan: BackupPlan, { diskId, deviceKey, image }: PlannedDisk, results: Results): DiskProof {
  const report = copiedDisks(plan, results).find((candidate) => candidate.deviceKey === deviceKey) ?? UNCOPIED;
  const checked = (results[`verify:${deviceKey}`] ?? UNCHECKED) as BackupEffects['image.check']['result'];
  const proved = (results[`proving:${deviceKey}`] ?? UNPROVED) as
    BackupEffects['image.prove']['result'] | typeof UNPROVED;
  const { bytesTransferred: bytesCopied, bytesToCopy, changeId } = report;
  return { diskId, deviceKey, image, ...checked, bytesCopied, bytesToCopy, changeId, ...proved };
}

/** The bookmark that a disk has in the restore point. */
export function provenChangeId({ deviceKey }: PlannedDisk, results: Results): string | null {
  const proven = results['prove'] as Partial<BackupProven['data']> | undefined;
  return proven?.changeIds?.[deviceKey] ?? null;
}

/** The facts for a decision about the whole backup. */
export function proofs(plan: BackupPlan, results: Results) {
  const { jobId, contextId } = plan;
  return { jobId, contextId, disks: plan.disks.map((disk) => proofOf(plan, disk, results)) };
}
