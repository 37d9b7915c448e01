import pg from 'pg';
import { to } from 'pg-copy-streams';

import type { Position, StoredEvent } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import { preparedName } from '#platform/database/prepared';

import { selects } from '../append-rules.js';
import type { Selection } from '../event-store.port.js';
import { refusalOf } from './away.js';
import { type EventRow, numberOf, positionOf, storedEvent } from './codec.js';
import { COLUMNS, eventsOf } from './copied-events.js';

const PAGE = 500;
/** So few events are read whole, whatever a subscriber selects. */
const NEWEST = 32;

type Direction = 'forward' | 'backward';

interface Range {
  readonly after: bigint;
  readonly before: bigint | null;
  readonly forward: boolean;
  readonly limit: number;
}

export interface Page {
  readonly events: readonly StoredEvent[];
  /** Everything up to here was looked at. */
  readonly upTo: Position;
  readonly head: Position;
}

/** Reads of the log, in pages by key; never an offset. */
export class Reader {
  private asking: Promise<Position> | null = null;
  private readonly reading = new Map<string, Promise<readonly StoredEvent[]>>();

  constructor(private readonly database: Database) {}

  async head(): Promise<Position> {
    const [row] = await this.ask<{ position: string }>({ name: 'es head', text: 'select position from es.head' });
    return row === undefined || row.position === '0' ? '' : positionOf(row.position);
  }

  async *stream(
    stream: string,
    options: { from?: bigint; direction?: Direction; limit?: number },
  ): AsyncIterable<StoredEvent> {
    const forward = options.direction !== 'backward';
    let next = options.from ?? (forward ? 0n : null);
    let left = options.limit ?? Infinity;
    while (left > 0) {
      const wanted = Math.min(PAGE, left);
      const rows = await this.ask<EventRow & Record<string, unknown>>({
        name: `es stream ${forward ? 'forward' : 'backward'}`,
        text: `select ${COLUMNS} from es.event
          where stream = $1 and ($2::bigint is null or revision ${forward ? '>=' : '<='} $2)
          order by revision ${forward ? 'asc' : 'desc'} limit $3`,
        values: [stream, next, wanted],
      });
      yield* rows.map(storedEvent);
      const last = rows.at(-1);
      if (last === undefined || rows.length < wanted) return;
      left -= rows.length;
      next = forward ? BigInt(last.revision) + 1n : BigInt(last.revision) - 1n;
      if (next < 0n) return;
    }
  }

  async *all(
    options: { after?: Position; before?: Position; direction?: Direction; limit?: number } & Selection,
  ): AsyncIterable<StoredEvent> {
    const forward = (options.direction ?? 'forward') === 'forward';
    let after = numberOf(options.after ?? '');
    let before = options.before === undefined ? null : numberOf(options.before);
    let left = options.limit ?? Infinity;
    while (left > 0) {
      const wanted = Math.min(PAGE, left);
      const rows = await this.select(options, { after, before, forward, limit: wanted });
      yield* rows.map(storedEvent);
      const last = rows.at(-1);
      if (last === undefined || rows.length < wanted) return;
      left -= rows.length;
      if (forward) after = BigInt(last.position);
      else before = BigInt(last.position);
    }
  }

  /**
   * The next page for a subscriber. The head is read first: the lane has no gaps, so everything up to it is visible then,
   * and a page that isn't full has looked at all of it.
   */
  async page(after: Position, selection: Selection & { readonly unparsed?: boolean }, limit: number): Promise<Page> {
    const from = numberOf(after);
    const head = await this.headForAll();
    if (head <= after) return { events: [], upTo: after, head };
    const isWhole = selection.types === undefined && selection.streamPrefixes === undefined;
    if (numberOf(head) - from <= Math.min(NEWEST, limit) && selection.unparsed !== true) {
      const newest = await this.newest(from, numberOf(head));
      if (isWhole) refuseHoles(newest, from, numberOf(head));
      return { events: newest.filter((event) => selects(selection, event)), upTo: head, head };
    }
    const before = numberOf(head) + 1n;
    const range = { after: from, before, forward: true, limit };
    const events =
      selection.unparsed === true
        ? await this.copy(selection, range)
        : (await this.select(selection, range)).map(storedEvent);
    const last = events.at(-1);
    const full = events.length === limit && last !== undefined;
    if (isWhole) refuseHoles(events, from, full ? null : numberOf(head));
    return { events, upTo: full ? last.position : head, head };
  }

  /** Subscribers are woken together: those who ask before the question is sent get one answer. */
  private headForAll(): Promise<Position> {
    this.asking ??= Promise.resolve().then(() => {
      this.asking = null;
      return this.head();
    });
    return this.asking;
  }

  /** The few events that were appended last: read once for all subscribers that are equally far. */
  private newest(after: bigint, upTo: bigint): Promise<readonly StoredEvent[]> {
    const stretch = `${after}-${upTo}`;
    const known = this.reading.get(stretch);
    if (known !== undefined) return known;
    const reading = this.select({}, { after, before: upTo + 1n, forward: true, limit: NEWEST })
      .then((rows) => rows.map(storedEvent))
      .finally(() => this.reading.delete(stretch));
    this.reading.set(stretch, reading);
    return reading;
  }

  private async select(selection: Selection, range: Range): Promise<EventRow[]> {
    const values: Value[] = [];
    const text = selecting(selection, range, (value) => `$${values.push(value)}`);
    return this.ask<EventRow & Record<string, unknown>>({ name: preparedName(text), text, values });
  }

  /** The same by COPY, which costs both sides the least for large pages; it takes no parameters. */
  private async copy(selection: Selection, range: Range): Promise<readonly StoredEvent[]> {
    const text = selecting(selection, range, literal);
    try {
      const client = await this.database.pool.connect();
      let broken = true;
      try {
        const pieces = await client.query(to(`copy (${text}) to stdout (format binary)`)).toArray();
        broken = false;
        return eventsOf(Buffer.concat(pieces as readonly Buffer[]));
      } finally {
        client.release(broken);
      }
    } catch (error) {
      throw refusalOf(error);
    }
  }

  private async ask<Row extends pg.QueryResultRow>(query: pg.QueryConfig): Promise<Row[]> {
    try {
      return (await this.database.pool.query<Row>(query)).rows;
    } catch (error) {
      throw refusalOf(error);
    }
  }
}

type Value = bigint | number | null | readonly string[];

/** `place` says how a value stands in the statement. */
function selecting(
  { types, streamPrefixes }: Selection,
  { after, before, forward, limit }: Range,
  place: (value: Value) => string,
): string {
  const conditions = [`position > ${place(after)}`];
  if (before !== null) conditions.push(`position < ${place(before)}`);
  if (types !== undefined) conditions.push(`type = any(${place(types)}::text[])`);
  if (streamPrefixes !== undefined) {
    conditions.push(
      `exists (select from unnest(${place(streamPrefixes)}::text[]) prefix where starts_with(stream, prefix))`,
    );
  }
  return `select ${COLUMNS} from es.event where ${conditions.join(' and ')}
    order by position ${forward ? 'asc' : 'desc'} limit ${place(limit)}`;
}

function literal(value: Value): string {
  return value instanceof Array ? `array[${value.map((one) => pg.escapeLiteral(one)).join(', ')}]` : String(value);
}

/** The lane has no gaps: a number that is missing is an event that was lost. */
function refuseHoles(rows: readonly { readonly position: string }[], after: bigint, head: bigint | null): void {
  let expected = after + 1n;
  for (const row of rows) {
    if (BigInt(row.position) !== expected) throw new LogHasHole(expected);
    expected += 1n;
  }
  if (head !== null && expected !== head + 1n) throw new LogHasHole(expected);
}

/** An event that was stored is not there any more; nothing goes on beyond it. */
class LogHasHole extends Error {
  constructor(position: bigint) {
    super(`the log has no event at position ${position.toString()}, although later ones exist`);
    this.name = 'LogHasHole';
  }
}
