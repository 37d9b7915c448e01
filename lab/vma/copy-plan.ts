import type { DiskSnapshot } from '../guests/disk-snapshot.js';
import type { Extent } from '../tracking/extents.js';
import type { OrderedDisk } from './backup-order.js';
import type { Misbehaviour } from './misbehaviour.js';

/** How one disk is copied. */
export interface CopyPlan {
  readonly extents: readonly Extent[];
  readonly isIncrement: boolean;
  /** What the agent says of it, which an agent that misbehaves may not be doing. */
  readonly said: { readonly mode: 'full' | 'incremental'; readonly baseChangeId: string | null };
}

/**
 * Plans a disk exactly as it was ordered. Throws when the changes since the ordered base can't be told.
 *
 * @param askBase tells from which change id on to copy when the order doesn't; null: everything.
 */
export async function planOf(
  ordered: OrderedDisk,
  snapshot: DiskSnapshot,
  misbehaviour: Misbehaviour,
  askBase: () => Promise<string | null>,
): Promise<CopyPlan> {
  const { mode, baseChangeId, disk } = ordered;
  switch (mode) {
    case 'full':
      return wholeDisk(snapshot);
    case 'incremental': {
      const changed = snapshot.moment.changedSince(baseChangeId ?? '');
      if (changed === null) throw new Error(`change tracking was reset: disk ${disk.deviceKey}`);
      const plan: CopyPlan = { extents: changed, isIncrement: true, said: { mode, baseChangeId } };
      return misled(plan, snapshot, misbehaviour);
    }
    case 'ask': {
      const base = await askBase();
      const changed = base === null ? null : snapshot.moment.changedSince(base);
      if (changed === null) return wholeDisk(snapshot);
      return { extents: changed, isIncrement: true, said: { mode: 'incremental', baseChangeId: base } };
    }
  }
}

function wholeDisk({ sizeBytes }: DiskSnapshot): CopyPlan {
  const extents = [{ offset: 0, length: sizeBytes }];
  return { extents, isIncrement: false, said: { mode: 'full', baseChangeId: null } };
}

function misled(plan: CopyPlan, snapshot: DiskSnapshot, { settings }: Misbehaviour): CopyPlan {
  const { wrong_mode, wrong_base } = settings;
  if (wrong_mode !== undefined) {
    const whole = wholeDisk(snapshot);
    return wrong_mode === 'lie' ? { ...whole, said: plan.said } : whole;
  }
  if (wrong_base === undefined) return plan;
  const said = wrong_base === 'lie' ? plan.said : { ...plan.said, baseChangeId: snapshot.moment.changeId };
  return { ...plan, extents: [], said };
}
