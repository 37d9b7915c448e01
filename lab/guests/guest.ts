import { changeFiles, type FileChanges } from './file-changes.js';
import type { TrackedDisk } from './tracked-disk.js';

/** A guest's hands on one of its disks. What it does is tracked, and may be done while the disk is copied. */
export interface Guest {
  /** Throws RangeError beyond the end of the disk, as `zero` and `discard` do. */
  write(offset: number, bytes: Buffer): Promise<void>;
  /** Writes zeros; they take room. */
  zero(offset: number, length: number): Promise<void>;
  /** Makes a hole, which reads as zeros. */
  discard(offset: number, length: number): Promise<void>;
  /** What is cut off is gone; what is added reads as zeros. */
  resize(sizeBytes: number): Promise<void>;
  /** Copies what the disk holds now to a file, holes as holes. */
  snapshotCopy(toFile: string): Promise<void>;
  /** Writes and removes files of the filesystem that the disk's manifest describes, and keeps the manifest right. */
  changeFiles(changes: FileChanges): Promise<void>;
  /** Forgets all changes, as vCenter does now and then: no change id told before can be asked for any more. */
  resetTracking(): Promise<void>;
  tracking(on: boolean): Promise<void>;
}

export function guestOf(disk: TrackedDisk): Guest {
  return {
    write: (offset, bytes) => disk.write(offset, bytes),
    zero: (offset, length) => disk.zero(offset, length),
    discard: (offset, length) => disk.discard(offset, length),
    resize: (sizeBytes) => disk.resize(sizeBytes),
    snapshotCopy: (toFile) => disk.snapshotCopy(toFile),
    changeFiles: (changes) => changeFiles(disk, changes),
    resetTracking: () => disk.resetTracking(),
    tracking: (on) => disk.turnTracking(on),
  };
}
