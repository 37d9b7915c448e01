import type { AskedType, DiskMode } from './disk-mode.js';

/** Everything a backup job needs to know, decided before it starts. Sizes are bytes; `image` is relative to `root`. */
export type BackupPlan = {
  readonly jobId: string;
  readonly contextId: string;
  readonly vmName: string;
  readonly vmPath: string;
  readonly credentialId: number;
  /** Name of the agent beside the VM's vCenter. */
  readonly agent: string;
  readonly repositoryId: string;
  readonly root: string;
  readonly askedFor: AskedType;
  /** `incremental` when at least one disk is copied as an increment. */
  readonly backupType: 'full' | 'incremental';
  readonly bandwidth: Bandwidth;
  readonly policyId: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly disks: readonly PlannedDisk[];
};

/** How much of the network a job may use, in bytes per second; null is no limit. */
export type Bandwidth = {
  readonly jobBytesPerSecond: number | null;
  /** Of all jobs that write to the repository together. */
  readonly repositoryBytesPerSecond: number | null;
};

export type PlannedDisk = {
  /** Small number given once per device key of a VM; how the API names the disk. */
  readonly diskId: number;
  /** VMware's key of the disk's device: its identity, never its place in a list. */
  readonly deviceKey: number;
  readonly sizeBytes: number;
  readonly image: string;
  readonly mode: DiskMode;
};

/** Images beneath the disk's own in its chain, oldest first. */
export function layersOf({ mode }: Pick<PlannedDisk, 'mode'>): readonly string[] {
  return mode.is === 'incremental' ? mode.parent.layers : [];
}

/** What must be known of every disk before a restore point exists. */
export type DiskProof = {
  readonly diskId: number;
  readonly deviceKey: number;
  readonly image: string;
  readonly virtualSizeBytes: number;
  readonly fileSizeBytes: number;
  /** Of the source, by the agent's account; zeros count. null when the agent tells nothing of single disks. */
  readonly bytesCopied: number | null;
  /** How much there was to copy: the whole disk, or what had changed. */
  readonly bytesToCopy: number | null;
  /** VMware's bookmark of the disk at the snapshot; null when the agent offers none. */
  readonly changeId: string | null;
  /** Hash of the content manifest beside the image; null while there is none. */
  readonly manifestSha256: string | null;
  /** What this layer itself holds. */
  readonly dataBytes: number;
  /** Whether the content was compared with what the agent says it read. */
  readonly comparedWithSource: boolean;
};

/** QCOW2 with 64 KiB clusters: 8 bytes of table and 2 of refcount per cluster, rounded up well, and the header. */
const METADATA_BYTES_PER_GIB = 1024 * 1024;
const HEADER_BYTES = 1024 * 1024;
const GIB = 1024 ** 3;

/**
 * Space that must be there before a job begins: for a full image as much as it takes at most, should every block hold data.
 * Nobody knows before the snapshot how much has changed: of an increment only the tables count, and one that doesn't fit
 * fails when the repository is full.
 */
export function spaceFor(disks: readonly Pick<PlannedDisk, 'sizeBytes' | 'mode'>[]): number {
  return disks.reduce((sum, { sizeBytes, mode }) => {
    const content = mode.is === 'full' ? sizeBytes : 0;
    return sum + content + Math.ceil(sizeBytes / GIB) * METADATA_BYTES_PER_GIB + HEADER_BYTES;
  }, 0);
}
