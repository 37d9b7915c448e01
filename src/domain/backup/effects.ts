import type { ImagePlace } from '../kernel/image-place.js';

/** A rate shared by all who name its key. */
export type RateLimit = { key: string; bytesPerSecond: number };

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
  /** An empty QCOW2 of exactly `sizeBytes`, its folders included; with layers, one that stands on the last of them. */
  'image.create': {
    args: ImagePlace & { sizeBytes: number };
    result: Record<string, never>;
  };
  /** Removes image, sidecar, manifest and the folders that became empty; what isn't there is fine. */
  'image.remove': {
    args: { root: string; image: string };
    result: Record<string, never>;
  };
  /**
   * A writable NBD export of one image on a loopback port of the agent's own slice, under a name that can't be guessed, for
   * one writer. Watched. All exports of a job share its limit, all jobs of a repository the repository's;
   * `severalConnections` for an agent that opens a second connection beside its first.
   */
  'export.start': {
    args: ImagePlace & {
      exportId: string;
      agent: string;
      limits: { job: RateLimit | null; repository: RateLimit | null };
      severalConnections: boolean;
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
    args: ImagePlace & { exportId: string };
    result: { exitCode: number | null };
  };
  /** `qemu-img check` and `info`: consistent, closed, exactly the backing file it was given, exactly `sizeBytes`. */
  'image.check': {
    args: ImagePlace & { sizeBytes: number };
    result: { virtualSizeBytes: number; fileSizeBytes: number };
  };
  /** Writes the content manifest of what the layer itself holds, and compares it with what the agent says it read. */
  'image.prove': {
    args: ImagePlace & {
      agent: string;
      jobId: string;
      deviceKey: number;
      sizeBytes: number;
      parentManifestSha256: string | null;
      /** Whether the agent offers hashes of what it read. */
      hashesOffered: boolean;
    };
    result: { manifestSha256: string; dataBytes: number; comparedWithSource: boolean };
  };
  /** What a stranger needs to read the image without OMA, as `<image>.json`, whole or not at all. */
  'sidecar.write': {
    args: { root: string; image: string; document: string };
    result: Record<string, never>;
  };
  /** The agent answers. */
  'agent.check': {
    args: { agent: string };
    result: AgentWays;
  };
  /** Tells the agent to copy; `credentialId` names the vCenter credential whose password is looked up when calling. */
  'agent.start': {
    args: {
      agent: string;
      /** Whether the agent takes all disks in one job; else it gets a job per disk. */
      together: boolean;
      jobId: string;
      vmName: string;
      vmPath: string;
      credentialId: number;
      disks: readonly (FollowedDisk & { exportId: string })[];
    };
    result: Record<string, never>;
  };
  /** Follows the agent until every disk is copied; fails when it fails, vanishes, stalls or talks nonsense. */
  'agent.follow': {
    args: {
      agent: string;
      together: boolean;
      jobId: string;
      /** Whose password must not stand in what the agent says. */
      credentialId: number;
      /** The lowest limit that its exports have. */
      slowestBytesPerSecond: number | null;
      disks: readonly FollowedDisk[];
    };
    result: {
      disks: readonly {
        deviceKey: number;
        bytesTransferred: number | null;
        bytesToCopy: number | null;
        changeId: string | null;
      }[];
    };
  };
  /** Tells the agent to give up the job; an agent that can't or doesn't know it is fine. */
  'agent.stop': {
    args: { agent: string; jobId: string; diskIds: readonly number[] };
    result: Record<string, never>;
  };
};

/** What an agent can do, by its own word. */
export type AgentWays = {
  /** Takes all disks of a VM in one job, each with its mode and base. */
  together: boolean;
  /** Offers hashes of what it read. */
  hashes: boolean;
};

/** A disk as the agent is told it. `baseChangeId` is null for a full copy. */
export type FollowedDisk = { diskId: number; deviceKey: number; sizeBytes: number; baseChangeId: string | null };
