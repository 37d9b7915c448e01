import type { DiskProof, PlannedDisk } from './backup-plan.js';

/**
 * Why it is not proven that a disk was copied as planned, or null when it is. `reported` is the change id that the agent
 * told with the disk's completion: agents that tell nothing of single disks must have completed it so.
 */
export function doubtIn(disk: PlannedDisk, proof: DiskProof | undefined, reported: string | null): string | null {
  if (proof === undefined) return 'nothing is known of it';
  if (proof.virtualSizeBytes !== disk.sizeBytes) return 'its image has another size';
  if (proof.manifestSha256 === null) return 'its content has no manifest';
  if (reported !== null && (proof.changeId ?? reported) !== reported) return 'the agent told two change ids';
  return doubtInCopy(disk, proof, reported);
}

function doubtInCopy(
  disk: PlannedDisk,
  { bytesCopied, bytesToCopy }: DiskProof,
  reported: string | null,
): string | null {
  if (bytesCopied === null || bytesToCopy === null) return reported === null ? 'the agent did not complete it' : null;
  if (bytesCopied !== bytesToCopy) return `${bytesCopied} of ${bytesToCopy} bytes were copied`;
  if (disk.mode.is === 'full' && bytesToCopy !== disk.sizeBytes) return 'not the whole disk was copied';
  return bytesToCopy > disk.sizeBytes ? 'more was copied than the disk holds' : null;
}
