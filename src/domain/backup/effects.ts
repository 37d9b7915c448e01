/** A rate shared by all who name its key. */
type RateLimit = { key: string; bytesPerSecond: number };

/**
 * What taking a backup may ask of the world: kinds of effects with their arguments and results. The executors are in
 * `platform/qemu` (images, exports), `platform/repositories` and `platform/vma` (the agent).
 *
 * `root` is the repository's directory, `image` a path relative to it; sizes are bytes.
 */
export type BackupEffects = {
  /** Refuses when the directory is missing, not writable or has less than `neededBytes` available. */
  'repository.preflight': {
    args: { root: string; neededBytes: number };
    result: { availableBytes: number };
  };
  /** An empty QCOW2 of exactly `sizeBytes`, its folders included. */
  'image.create': {
    args: { root: string; image: string; sizeBytes: number };
    result: Record<string, never>;
  };
  /** Removes image, sidecar and the folders that became empty; what isn't there is fine. */
  'image.remove': {
    args: { root: string; image: string };
    result: Record<string, never>;
  };
  /**
   * A writable NBD export of one image on a loopback port, under a name that can't be guessed, for one writer. Watched. All
   * exports of a job share its limit, all jobs of a repository the repository's; `severalConnections` for an agent that opens
   * a second connection beside its first; the port is one of the agent's slice.
   */
  'export.start': {
    args: {
      exportId: string;
      root: string;
      image: string;
      limits?: { job: RateLimit | null; repository: RateLimit | null } | null;
      severalConnections?: boolean;
      slice?: { index: number; of: number };
    };
    result: { port: number; pid: number; startTicks: number };
  };
  /** Ends an export whatever state it is in and releases its port. */
  'export.stop': {
    args: { exportId: string };
    result: Record<string, never>;
  };
  /** Ends an export and proves that it ended cleanly: asked to stop, gone by itself, image closed and on disk. */
  'export.finish': {
    args: { exportId: string; root: string; image: string };
    result: { exitCode: number | null };
  };
  /** `qemu-img check` and `info`: consistent, closed, no backing file, exactly `sizeBytes`. */
  'image.check': {
    args: { root: string; image: string; sizeBytes: number };
    result: { virtualSizeBytes: number; fileSizeBytes: number };
  };
  /** What a stranger needs to read the image without OMA, as `<image>.json`, whole or not at all. */
  'sidecar.write': {
    args: { root: string; image: string; document: string };
    result: Record<string, never>;
  };
  /** The agent answers. */
  'agent.check': {
    args: Record<string, never>;
    result: Record<string, never>;
  };
  /** Tells the agent to copy; `credentialRef` names the vCenter credential whose password is looked up when calling. */
  'agent.start': {
    args: {
      jobId: string;
      vmName: string;
      vmPath: string;
      credentialId: number;
      disks: readonly { deviceKey: number; exportId: string; sizeBytes: number }[];
    };
    result: Record<string, never>;
  };
  /** Follows the agent until every disk is copied; fails when it fails, vanishes, stalls or talks nonsense. */
  'agent.follow': {
    args: {
      jobId: string;
      /** Whose password must not stand in what the agent says. */
      credentialId: number;
      disks: readonly { deviceKey: number; sizeBytes: number }[];
    };
    result: { disks: readonly { deviceKey: number; bytesTransferred: number; changeId: string | null }[] };
  };
  /** Tells the agent to give up the job; an agent that can't or doesn't know it is fine. */
  'agent.stop': {
    args: { jobId: string };
    result: Record<string, never>;
  };
};
