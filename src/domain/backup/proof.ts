import { isEarlier, isSameChangeId, isSameEpoch } from './change-id.js';
import type { DiskProof, PlannedDisk } from './backup-plan.js';

/** Agents that tell nothing of single disks must have completed each of them; their last words may come late. */
export function awaitsCompletion({ bytesCopied, bytesToCopy }: DiskProof, reported: string | null): boolean {
  return (bytesCopied === null || bytesToCopy === null) && reported === null;
}

/**
 * Why it is not proven that a disk was copied as planned, or null when it is. `reported` is the change id that the agent
 * told with the disk's completion.
 */
export function doubtIn(disk: PlannedDisk, proof: DiskProof | undefined, reported: string | null): string | null {
  if (proof === undefined) return 'nothing is known of it';
  if (proof.virtualSizeBytes !== disk.sizeBytes) return 'its image has another size';
  if (proof.manifestSha256 === null) return 'its content has no manifest';
  const told = proof.changeId ?? reported;
  if (reported !== null && told !== null && !isSameChangeId(told, reported)) return 'the agent told two change ids';
  return doubtInBase(disk, told) ?? doubtInCopy(disk, proof);
}

/**
 * Tracking that was reset after the plan was made no longer knows what changed since the base. A bookmark from before the base's
 * is of another moment than the copy: of a VM that was set back, or of another snapshot.
 */
function doubtInBase({ mode }: PlannedDisk, told: string | null): string | null {
  if (mode.is === 'full') return null;
  if (told === null) return 'the agent told no change id of an increment';
  if (!isSameEpoch(told, mode.parent.changeId)) return 'its change tracking was reset before it was copied';
  return isEarlier(told, mode.parent.changeId) ? 'the agent told a change id from before the one it copied from' : null;
}

function doubtInCopy(disk: PlannedDisk, { bytesCopied, bytesToCopy }: DiskProof): string | null {
  // An agent that tells nothing of single disks: its word is the completion of the disk.
  if (bytesCopied === null || bytesToCopy === null) return null;
  if (bytesCopied !== bytesToCopy) return `${bytesCopied} of ${bytesToCopy} bytes were copied`;
  if (disk.mode.is === 'full' && bytesToCopy !== disk.sizeBytes) return 'not the whole disk was copied';
  return bytesToCopy > disk.sizeBytes ? 'more was copied than the disk holds' : null;
}
