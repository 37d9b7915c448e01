import type pg from 'pg';

import type { Position, StoredEvent } from '#domain/kernel/event';

import { type EventRow, positionOf, storedEvent } from './codec.js';
import { COLUMNS } from './copied-events.js';
import { RecentEvents } from './recent-events.js';

/** So few events are read whole, whatever a subscriber selects, and however large they are. */
export const NEWEST = 32;

/** The events behind a place, as far as they are looked at together, and the head of that moment. */
export interface Newest {
  readonly events: readonly StoredEvent[];
  readonly head: Position;
}

type Ask = <Row extends pg.QueryResultRow>(query: pg.QueryConfig) => Promise<readonly Row[]>;

/** One event more than are read together: whoever gets it knows that there are more. */
const TEXT = `select h.position as head, e.* from es.head h left join lateral (
    select ${COLUMNS} from es.event where position > $1 order by position limit ${NEWEST + 1}) e on true
  order by e.position`;

/** Looks at the end of the log, for all who follow it. */
export class NewestEvents {
  private readonly askingBehind = new Map<bigint, Promise<Newest>>();
  private readonly kept = new RecentEvents(NEWEST);
  /** The newest head that anybody here knows of. */
  private farthest = 0n;

  constructor(private readonly ask: Ask) {}

  /**
   * What stands behind a place, and how far the log is, in one look; null for who is too far back to see all of it. Subscribers are woken
   * together: those who ask before the question is sent get one answer, and who was busy the last time has what was read then before it.
   */
  behind(after: bigint): Promise<Newest> | null {
    if (this.farthest - after > NEWEST) return null;
    const known = this.kept.behind(after) ?? [];
    const look = this.lookBehind(after + BigInt(known.length));
    return known.length === 0 ? look : look.then(({ events, head }) => ({ events: [...known, ...events], head }));
  }

  /** All behind `after`, at least up to `upTo`, when they have been read not long ago. */
  recent(after: bigint, upTo: bigint): readonly StoredEvent[] | null {
    return this.kept.between(after, upTo);
  }

  /** The position of a head that was read. */
  headAt(head: string): Position {
    const number = BigInt(head);
    if (number > this.farthest) this.farthest = number;
    return number === 0n ? '' : positionOf(number);
  }

  private lookBehind(after: bigint): Promise<Newest> {
    const asked = this.askingBehind.get(after);
    if (asked !== undefined) return asked;
    const asking = Promise.resolve().then(() => {
      this.askingBehind.delete(after);
      return this.look(after);
    });
    this.askingBehind.set(after, asking);
    return asking;
  }

  private async look(after: bigint): Promise<Newest> {
    type Row = (EventRow | { readonly position: null }) & { readonly head: string };
    const rows = await this.ask<Row>({ name: 'es newest', text: TEXT, values: [after] });
    const events = rows.flatMap((row) => (row.position === null ? [] : [storedEvent(row)]));
    this.kept.keep(after, events);
    return { events, head: this.headAt(rows[0]?.head ?? '0') };
  }
}
