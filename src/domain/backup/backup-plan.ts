/** Everything a backup job needs to know, decided before it starts. Sizes are bytes; `image` is relative to `root`. */
export type BackupPlan = {
  readonly jobId: string;
  readonly contextId: string;
  readonly vmName: string;
  readonly vmPath: string;
  readonly credentialId: number;
  readonly repositoryId: string;
  readonly root: string;
  readonly backupType: 'full';
  readonly policyId: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly disks: readonly PlannedDisk[];
};

export type PlannedDisk = {
  /** Small number given once per device key of a VM; how the API names the disk. */
  readonly diskId: number;
  /** VMware's key of the disk's device: its identity, never its place in a list. */
  readonly deviceKey: number;
  readonly sizeBytes: number;
  readonly image: string;
};

/** What must be known of every disk before a restore point exists. */
export type DiskProof = {
  readonly diskId: number;
  readonly deviceKey: number;
  readonly image: string;
  readonly virtualSizeBytes: number;
  readonly fileSizeBytes: number;
  /** Of the source, by the agent's account; zeros count. */
  readonly bytesCopied: number;
  /** VMware's bookmark of the disk at the snapshot; null when the agent offers none. */
  readonly changeId: string | null;
};

/** QCOW2 with 64 KiB clusters: 8 bytes of table and 2 of refcount per cluster, rounded up well, and the header. */
const METADATA_BYTES_PER_GIB = 1024 * 1024;
const HEADER_BYTES = 1024 * 1024;
const GIB = 1024 ** 3;

/** Space that full images of these disks can take at most, should every block hold data. */
export function spaceForFull(disks: readonly { readonly sizeBytes: number }[]): number {
  return disks.reduce(
    (sum, disk) => sum + disk.sizeBytes + Math.ceil(disk.sizeBytes / GIB) * METADATA_BYTES_PER_GIB + HEADER_BYTES,
    0,
  );
}
