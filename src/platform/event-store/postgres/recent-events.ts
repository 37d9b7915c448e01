import type { StoredEvent } from '#domain/kernel/event';

import { numberOf } from './codec.js';

/**
 * The last few events that somebody read, without a gap: whoever was busy then need not ask the database for them once more. They never
 * change, so that nothing here can be out of date; it can only end too soon.
 */
export class RecentEvents {
  private events: readonly StoredEvent[] = [];
  /** Everything behind this and up to `upTo` is there. */
  private after = 0n;
  private upTo = 0n;

  constructor(private readonly most: number) {}

  /** `events` were read as what stands behind `after`. Where one is missing they are of no use here. */
  keep(after: bigint, events: readonly StoredEvent[]): void {
    const last = events.at(-1);
    if (last === undefined || numberOf(last.position) <= this.upTo) return;
    if (numberOf(last.position) !== after + BigInt(events.length)) return;
    const joins = after >= this.after && after <= this.upTo;
    const known = joins ? this.events.slice(0, Number(after - this.after)) : [];
    this.events = [...known, ...events].slice(-this.most);
    this.upTo = numberOf(last.position);
    this.after = this.upTo - BigInt(this.events.length);
  }

  /** All behind `after` that there are here, also none; null when some may be missing. */
  behind(after: bigint): readonly StoredEvent[] | null {
    return this.between(after, after);
  }

  /** All behind `after`, at least up to `upTo`; null when they are not all there. */
  between(after: bigint, upTo: bigint): readonly StoredEvent[] | null {
    if (after < this.after || upTo > this.upTo || after > this.upTo) return null;
    return this.events.slice(Number(after - this.after));
  }
}
