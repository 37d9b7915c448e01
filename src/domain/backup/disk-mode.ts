import { IncrementalNotPossible } from './backup.errors.js';

/** What the caller asks for: `auto` takes an increment wherever one is possible. */
export type AskedType = 'full' | 'incremental' | 'auto';

/** The restore point that an increment stands on, as recorded with it. */
export type Parent = {
  readonly backupId: string;
  /** The bookmark stored with that very point: the increment copies what changed since. */
  readonly changeId: string;
  /** Hash of its content manifest: the child's manifest holds it. */
  readonly manifestSha256: string;
  /** The chain's images up to and with the parent's, oldest first, relative to the repository's directory. */
  readonly layers: readonly string[];
};

/** Why a disk is copied whole. */
export type WhyFull =
  | 'asked-for'
  | 'no-restore-point'
  | 'restore-points-damaged'
  | 'no-change-id'
  | 'no-manifest'
  | 'change-tracking-reset'
  | 'change-tracking-off'
  | 'disk-resized'
  | 'parent-missing'
  | 'parent-unreadable'
  | 'parent-altered'
  | 'chain-too-long';

/** How one disk is copied, decided by OMA and told to the agent, who never guesses. */
export type DiskMode =
  { readonly is: 'full'; readonly because: WhyFull } | { readonly is: 'incremental'; readonly parent: Parent };

/** The newest good point of a disk's chain in one repository. */
export type ChainHead = {
  readonly backupId: string;
  readonly sizeBytes: number;
  readonly changeId: string | null;
  readonly manifestSha256: string | null;
  readonly layers: readonly string[];
  /** Of each layer's file when it was closed; null where that wasn't recorded. */
  readonly fileSizesBytes: readonly (number | null)[];
};

/** What a vCenter says of a base change id now; `unknown` when the agent can't be asked. */
export type ChangeTracking = 'valid' | 'reset' | 'off' | 'none' | 'unknown';

/** What can be seen of the head's image, without reading all of it. */
export type ImageCondition = 'intact' | 'missing' | 'unreadable' | 'altered';

/** Everything that the decision for one disk needs. */
export type DiskFacts = {
  readonly diskId: number;
  readonly sizeBytes: number;
  /** Null when there is no good point to stand on. */
  readonly head: ChainHead | null;
  /** Whether there are points, all of them damaged or standing on damaged ones; then there is no head. */
  readonly pointsDamaged: boolean;
  readonly tracking: ChangeTracking;
  readonly condition: ImageCondition;
};

/** Opening a chain takes a file, and memory for its tables, per layer. */
export const MAX_LAYERS = 200;

/** Decides for all disks of a job. Throws IncrementalNotPossible, with each disk's reason, when an increment was demanded. */
export function chooseModes(asked: AskedType, disks: readonly DiskFacts[]): readonly DiskMode[] {
  const modes = disks.map((disk) => chooseMode(asked, disk));
  if (asked !== 'incremental') return modes;
  const reasons = modes.flatMap((mode, index) =>
    mode.is === 'full' ? [{ diskId: disks[index]?.diskId ?? -1, because: mode.because }] : [],
  );
  if (reasons.length > 0) throw new IncrementalNotPossible(reasons);
  return modes;
}

function chooseMode(asked: AskedType, { sizeBytes, head, pointsDamaged, tracking, condition }: DiskFacts): DiskMode {
  if (asked === 'full') return full('asked-for');
  if (head === null) return full(pointsDamaged ? 'restore-points-damaged' : 'no-restore-point');
  const { backupId, changeId, manifestSha256, layers } = head;
  if (condition !== 'intact') return full(`parent-${condition}`);
  if (head.sizeBytes !== sizeBytes) return full('disk-resized');
  if (changeId === null) return full('no-change-id');
  if (manifestSha256 === null) return full('no-manifest');
  if (tracking === 'reset' || tracking === 'off') return full(`change-tracking-${tracking}`);
  if (layers.length >= MAX_LAYERS) return full('chain-too-long');
  return { is: 'incremental', parent: { backupId, changeId, manifestSha256, layers } };
}

function full(because: WhyFull): DiskMode {
  return { is: 'full', because };
}
