import pg from 'pg';
import { to } from 'pg-copy-streams';

import type { Position, StoredEvent } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import { preparedName } from '#platform/database/prepared';

import { selects } from '../append-rules.js';
import type { Selection } from '../event-store.port.js';
import { refusalOf } from './away.js';
import { type EventRow, numberOf, storedEvent } from './codec.js';
import { COLUMNS, eventsOf, parsed } from './copied-events.js';
import { NEWEST, NewestEvents } from './newest-events.js';

const PAGE = 500;
/** A page of large events is cut off about here: whoever takes pages holds several at once. */
const PAGE_BYTES = 16 * 1024 * 1024;

type Direction = 'forward' | 'backward';

type Wanted = Selection & { readonly unparsed?: boolean };

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

interface Copy {
  readonly events: readonly StoredEvent[];
  /** Whether more events belong to it. */
  readonly isCut: boolean;
}

/** Reads of the log, in pages by key; never an offset. */
export class Reader {
  private readonly newest = new NewestEvents((query) => this.ask(query));

  constructor(private readonly database: Database) {}

  async head(): Promise<Position> {
    const [row] = await this.ask<{ position: string }>({ name: 'es head', text: 'select position from es.head' });
    return this.newest.headAt(row?.position ?? '0');
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
      const { events, isCut } = await this.parsed(options, { after, before, forward, limit: wanted });
      yield* events;
      const last = events.at(-1);
      if (last === undefined || (!isCut && events.length < wanted)) return;
      left -= events.length;
      if (forward) after = numberOf(last.position);
      else before = numberOf(last.position);
    }
  }

  /**
   * The next page for a subscriber. What it looks at is no newer than the head that it tells: the lane has no gaps, so everything up
   * to it was visible, and a page that isn't full has looked at all of it.
   */
  async page(after: Position, selection: Wanted, limit: number): Promise<Page> {
    const from = numberOf(after);
    // Asked together with the events where they may be all that there are.
    const near = selection.unparsed === true ? null : await this.newest.behind(from);
    const head = near?.head ?? (await this.head());
    if (head <= after) return { events: [], upTo: after, head };
    if (near === null || near.events.length > Math.min(NEWEST, limit)) return this.pageOf(selection, from, head, limit);
    refuseHoles(selection, near.events, from, numberOf(head));
    return { events: near.events.filter((event) => selects(selection, event)), upTo: head, head };
  }

  /**
   * The next page for a subscriber who had seen the end of the log, and who knows that it has grown up to `upTo` since: null when it
   * has to be read.
   */
  recentPage(after: Position, upTo: Position, selection: Wanted, limit: number): Page | null {
    const events = selection.unparsed === true ? null : this.newest.recent(numberOf(after), numberOf(upTo));
    const head = events?.at(-1)?.position;
    if (events === null || head === undefined || events.length > limit) return null;
    return { events: events.filter((event) => selects(selection, event)), upTo: head, head };
  }

  private async pageOf(selection: Wanted, from: bigint, head: Position, limit: number): Promise<Page> {
    const range = { after: from, before: numberOf(head) + 1n, forward: true, limit };
    const { events, isCut } = await (selection.unparsed === true
      ? this.copy(selection, range)
      : this.parsed(selection, range));
    const last = events.at(-1);
    const full = (isCut || events.length === limit) && last !== undefined;
    refuseHoles(selection, events, from, full ? null : numberOf(head));
    return { events, upTo: full ? last.position : head, head };
  }

  private async select(selection: Selection, range: Range): Promise<EventRow[]> {
    const values: Value[] = [];
    const text = selecting(selection, range, (value) => `$${values.push(value)}`);
    return this.ask<EventRow & Record<string, unknown>>({ name: preparedName(text), text, values });
  }

  /** A few events are few bytes; a page of them may be any number. */
  private async parsed(selection: Selection, range: Range): Promise<Copy> {
    if (range.limit <= NEWEST) return { events: (await this.select(selection, range)).map(storedEvent), isCut: false };
    const { events, isCut } = await this.copy(selection, range);
    return { events: events.map(parsed), isCut };
  }

  /**
   * The same by COPY, which costs both sides the least for large pages; it takes no parameters. Events that are large are cut off
   * after so many bytes.
   */
  private async copy(selection: Selection, range: Range, mostBytes = PAGE_BYTES): Promise<Copy> {
    const { copied, isCut } = await this.copied(selecting(selection, range, literal), mostBytes);
    const events = eventsOf(copied, isCut);
    if (events.length > 0 || !isCut) return { events, isCut };
    // One alone is larger than that.
    const alone = await this.copy(selection, { ...range, limit: 1 }, Infinity);
    return { ...alone, isCut: true };
  }

  private async copied(text: string, mostBytes: number): Promise<{ readonly copied: Buffer; readonly isCut: boolean }> {
    try {
      const client = await this.database.pool.connect();
      let isWhole = false;
      try {
        const pieces: Buffer[] = [];
        let bytes = 0;
        for await (const piece of client.query(
          to(`copy (${text}) to stdout (format binary)`),
        ) as AsyncIterable<Buffer>) {
          pieces.push(piece);
          bytes += piece.length;
          if (bytes > mostBytes) return { copied: Buffer.concat(pieces), isCut: true };
        }
        isWhole = true;
        return { copied: Buffer.concat(pieces), isCut: false };
      } finally {
        // What is still to come can only be got rid of together with the connection.
        client.release(!isWhole);
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

/**
 * The lane has no gaps: a number that is missing among all events is one that was lost. The rows are in order, and each is there once.
 */
function refuseHoles(
  { types, streamPrefixes }: Selection,
  rows: readonly { readonly position: string }[],
  after: bigint,
  head: bigint | null,
): void {
  if (types !== undefined || streamPrefixes !== undefined) return;
  const last = rows.at(-1);
  const upTo = head ?? (last === undefined ? after : BigInt(last.position));
  if (BigInt(rows.length) === upTo - after) return;
  const lost = rows.findIndex((row, index) => BigInt(row.position) !== after + BigInt(index) + 1n);
  throw new LogHasHole(after + BigInt(lost === -1 ? rows.length : lost) + 1n);
}

/** An event that was stored is not there any more; nothing goes on beyond it. */
class LogHasHole extends Error {
  constructor(position: bigint) {
    super(`the log has no event at position ${position.toString()}, although later ones exist`);
    this.name = 'LogHasHole';
  }
}
