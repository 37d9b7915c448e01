import type { ImagePlace } from '../kernel/image-place.js';

/**
 * What browsing a restore point may ask of the world. The executors are in `platform/mounts`. Everything of a mount lives
 * in one folder of the run directory that `mountId` names; the restore point itself is only ever opened for reading.
 */
export type RestoreEffects = {
  /** The mount's folder and a throwaway overlay on the image: whatever is written (a journal replay) goes there. */
  'mount.overlay': {
    args: ImagePlace & { mountId: string };
    result: Record<string, never>;
  };
  'mount.overlay.remove': { args: { mountId: string }; result: Record<string, never> };
  /** The overlay as an NBD export on a unix socket. Watched. */
  'mount.export': {
    args: ImagePlace & { mountId: string };
    result: { pid: number; startTicks: number };
  };
  'mount.export.close': { args: { mountId: string }; result: Record<string, never> };
  /** The export as one file, in user space. Watched. */
  'mount.disk': { args: { mountId: string }; result: { pid: number; startTicks: number } };
  'mount.disk.close': { args: { mountId: string }; result: Record<string, never> };
  /** Which partitions there are and what is in them. A disk without a table is one partition, number 0. */
  'mount.inspect': { args: { mountId: string }; result: { partitions: readonly FoundPartition[] } };
  /** Opens the filesystem of one partition, read-only and in user space. Watched when it opened. */
  'mount.filesystem': {
    args: { mountId: string; partition: FoundPartition };
    result:
      | { state: 'mounted'; replayedJournal: boolean; pid: number; startTicks: number }
      | { state: 'unreadable'; reason: string };
  };
  'mount.filesystem.close': { args: { mountId: string; partition: number }; result: Record<string, never> };
  /** Seconds since somebody last read from the mount; 0 while a download is running. */
  'mount.idle': { args: { mountId: string }; result: { idleSeconds: number } };
};

/** A partition as the table and the filesystem's own header describe it; all text is the guest's, hostile. */
export type FoundPartition = {
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  /** As blkid names it (`ext4`, `ntfs`, `LVM2_member`, …); null when nothing was recognised. */
  readonly filesystem: string | null;
  readonly label: string | null;
  readonly uuid: string | null;
};
