import type { BackupPlan, DiskProof, PlannedDisk } from './backup-plan.js';

/**
 * Facts of the time before increments are read in today's shape: everything was a full copy then, of one agent, without
 * limits and without content manifests. Facts of today pass unchanged.
 */
type EarlierDisk = Omit<PlannedDisk, 'mode'> & Partial<Pick<PlannedDisk, 'mode'>>;
export type EarlierPlan = Omit<BackupPlan, 'agent' | 'askedFor' | 'bandwidth' | 'disks'> &
  Partial<Pick<BackupPlan, 'agent' | 'askedFor' | 'bandwidth'>> & { readonly disks: readonly EarlierDisk[] };

type LaterProof = 'bytesToCopy' | 'manifestSha256' | 'dataBytes' | 'comparedWithSource';
export type EarlierProof = Omit<DiskProof, LaterProof> & Partial<Pick<DiskProof, LaterProof>>;

export function planOfToday(plan: EarlierPlan): BackupPlan {
  return {
    ...plan,
    agent: plan.agent ?? 'default',
    askedFor: plan.askedFor ?? 'full',
    bandwidth: plan.bandwidth ?? { jobBytesPerSecond: null, repositoryBytesPerSecond: null },
    disks: plan.disks.map((disk) => ({ ...disk, mode: disk.mode ?? { is: 'full', because: 'asked-for' } })),
  };
}

export function proofOfToday(proof: EarlierProof): DiskProof {
  return {
    ...proof,
    bytesToCopy: proof.bytesToCopy ?? proof.bytesCopied,
    manifestSha256: proof.manifestSha256 ?? null,
    dataBytes: proof.dataBytes ?? proof.fileSizeBytes,
    comparedWithSource: proof.comparedWithSource ?? false,
  };
}
