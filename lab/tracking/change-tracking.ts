import { readFile, rename, writeFile } from 'node:fs/promises';

import { z } from 'zod';

import { changeIdText, newEpoch, readChangeId } from './change-id.js';
import { BLOCK_BYTES, blockCount, type Extent, extentsOf } from './extents.js';

/** Whether changes since an earlier point can be asked for; `reset`: not since that one, `none`: no point was named. */
export type TrackingState = 'valid' | 'reset' | 'off' | 'none';

/** What tracking knew at the moment of a snapshot; it never changes. */
export interface TrackedMoment {
  /** The point to ask from next time; null when the disk wasn't tracked. */
  readonly changeId: string | null;
  stateOf(baseChangeId: string | null): TrackingState;
  /** What was written since, zeros and discards included; null when that can't be told. */
  changedSince(baseChangeId: string): readonly Extent[] | null;
}

const kept = z.object({
  enabled: z.boolean(),
  epoch: z.string(),
  sequence: z.int().positive(),
  /** For blocks one after another, how many were changed last in which sequence. */
  runs: z.array(z.tuple([z.int().positive(), z.int().nonnegative()])),
});

/**
 * Which blocks of a disk were written since which snapshot. Every block bears the sequence in which it was written last;
 * a snapshot ends a sequence. What a method answers or allows is in the file before it resolves, so that a lab that is
 * killed forgets no change: it may only take a block for changed that wasn't.
 *
 * One call at a time.
 */
export class ChangeTracking {
  private constructor(
    private readonly file: string,
    private enabled: boolean,
    private epoch: string,
    private sequence: number,
    private stamps: Uint32Array,
  ) {}

  /** Reads the file; a disk without one, or whose file fits another size, begins a new epoch. */
  static async open(file: string, sizeBytes: number): Promise<ChangeTracking> {
    const found = await readKept(file);
    if (found !== null) {
      const stamps = Uint32Array.from(found.runs.flatMap(([count, stamp]) => Array<number>(count).fill(stamp)));
      if (stamps.length === blockCount(sizeBytes)) {
        return new ChangeTracking(file, found.enabled, found.epoch, found.sequence, stamps);
      }
    }
    const tracking = new ChangeTracking(file, true, newEpoch(), 1, new Uint32Array(blockCount(sizeBytes)));
    await tracking.save();
    return tracking;
  }

  /** Notes that these bytes are about to change. */
  async mark({ offset, length }: Extent): Promise<void> {
    const first = Math.floor(offset / BLOCK_BYTES);
    const past = blockCount(offset + length);
    if (!this.enabled || this.stamps.subarray(first, past).every((stamp) => stamp === this.sequence)) return;
    this.stamps.fill(this.sequence, first, past);
    await this.save();
  }

  /** Notes that the disk is about to have another size; what is new of it counts as changed. */
  async resize(fromBytes: number, toBytes: number): Promise<void> {
    const stamps = new Uint32Array(blockCount(toBytes));
    stamps.set(this.stamps.subarray(0, stamps.length));
    // A block that was the end of the disk before is longer now.
    if (toBytes > fromBytes) stamps.fill(this.sequence, Math.floor(fromBytes / BLOCK_BYTES));
    this.stamps = stamps;
    await this.save();
  }

  /** Ends the sequence and answers what is known of all before. */
  async snapshot(sizeBytes: number): Promise<TrackedMoment> {
    const { enabled, epoch, sequence } = this;
    const stamps = this.stamps.slice();
    if (enabled) {
      this.sequence += 1;
      await this.save();
    }
    return {
      changeId: enabled ? changeIdText({ epoch, sequence }) : null,
      stateOf: (base) => stateOf({ enabled, epoch, sequence }, base),
      changedSince: (base) => {
        if (stateOf({ enabled, epoch, sequence }, base) !== 'valid') return null;
        const since = readChangeId(base)?.sequence ?? 0;
        return extentsOf(sizeBytes, (block) => (stamps[block] ?? 0) > since);
      },
    };
  }

  /** Whether `baseChangeId` could be asked for by a snapshot now. */
  stateOf(baseChangeId: string | null): TrackingState {
    const { enabled, epoch, sequence } = this;
    return stateOf({ enabled, epoch, sequence }, baseChangeId);
  }

  /** Forgets all changes: from now on nothing can be asked for that was told before. */
  async reset(): Promise<void> {
    this.epoch = newEpoch();
    this.sequence = 1;
    this.stamps.fill(0);
    await this.save();
  }

  /** Tracking that is begun again begins a new epoch, since nobody knows what was written meanwhile. */
  async turn(on: boolean): Promise<void> {
    if (on === this.enabled) return;
    this.enabled = on;
    await this.reset();
  }

  private async save(): Promise<void> {
    const { enabled, epoch, sequence } = this;
    const runs: [number, number][] = [];
    for (const stamp of this.stamps) {
      const last = runs.at(-1);
      if (last?.[1] === stamp) last[0] += 1;
      else runs.push([1, stamp]);
    }
    await writeFile(`${this.file}.new`, JSON.stringify({ enabled, epoch, sequence, runs }), { mode: 0o600 });
    await rename(`${this.file}.new`, this.file);
  }
}

function stateOf(
  tracked: { readonly enabled: boolean; readonly epoch: string; readonly sequence: number },
  baseChangeId: string | null,
): TrackingState {
  if (!tracked.enabled) return 'off';
  if (baseChangeId === null) return 'none';
  const base = readChangeId(baseChangeId);
  const isKnown = base?.epoch === tracked.epoch && base.sequence > 0 && base.sequence < tracked.sequence;
  return isKnown ? 'valid' : 'reset';
}

async function readKept(file: string): Promise<z.infer<typeof kept> | null> {
  try {
    return kept.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
