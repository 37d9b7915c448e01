import type { Position, StoredEvent } from '#domain/kernel/event';
import { pause } from '#platform/clock/pause';
import { within } from '#platform/clock/within';

import { selects } from '../append-rules.js';
import { EventStoreAway, InvalidPosition, type Selection, StreamDeleted } from '../event-store.port.js';
import type { EventStoreDbClient, ReadOptions } from './client.js';
import { NAME_OF_LOG, positionOf, type StreamNames, type WireEvent, type WirePosition, wirePosition } from './codec.js';
import { isDeletedStream, isMissingStream, isOffRecord, isTransient } from './failures.js';
import type { SameLog } from './same-log.js';

/** So long the server may be away before those who read are told. */
const ANSWER_WITHIN_MS = 15_000;
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 1000;
/** A page looks at so many events at least, however few are wanted. */
const PAGE = 1000;
/** A page of large events ends about here: every subscriber that catches up holds one. */
const PAGE_CHARACTERS = 16 * 1024 * 1024;

type Direction = 'forward' | 'backward';

interface Range {
  readonly after?: Position;
  readonly before?: Position;
  readonly direction?: Direction;
}

export interface Page {
  readonly events: readonly StoredEvent[];
  /** Everything up to here was looked at. */
  readonly upTo: Position;
  /** True when the page ends where the log ended. */
  readonly isLast: boolean;
}

/** Reads of the log. A read that breaks goes on where it was, for as long as callers can be made to wait. */
export class Reader {
  private newestSeen: Position = '';
  /** Where the log ended when it was last looked through for its newest event, and where that stood. */
  private lookedThrough: { readonly end: Position; readonly head: Position } = { end: '', head: '' };

  constructor(
    private readonly client: EventStoreDbClient,
    private readonly names: StreamNames,
    private readonly sameLog: SameLog,
    private readonly closing: AbortSignal,
  ) {}

  /** The newest position that this process knows of. */
  get newest(): Position {
    return this.newestSeen;
  }

  /** How far this process knows the log to be, with what others wrote behind the newest event. */
  get farthest(): Position {
    const { end } = this.lookedThrough;
    return end > this.newestSeen ? end : this.newestSeen;
  }

  saw(position: Position): void {
    if (position > this.newestSeen) this.newestSeen = position;
  }

  /** What was looked through once isn't again: others may have written a lot behind the newest event. */
  async head(): Promise<Position> {
    const read = () => this.vouchedFor({ from: null, direction: 'backward', limit: Infinity, signal: this.closing });
    const known = this.lookedThrough;
    let end: Position | undefined;
    let head = '';
    for await (const wire of this.untilRead(read)) {
      if (wire.position === undefined) continue;
      const position = positionOf(wire.position);
      end ??= position;
      if (position <= known.end) head = known.head;
      else if (this.names.eventOf(wire) !== null) head = position;
      else continue;
      break;
    }
    this.saw(head);
    if (end !== undefined && end > this.lookedThrough.end) this.lookedThrough = { end, head };
    return head;
  }

  /** Whoever wrote last. */
  async reaches(position: Position): Promise<boolean> {
    const read = () => this.vouchedFor({ from: null, direction: 'backward', limit: 1, signal: this.closing });
    for await (const { position: end } of this.untilRead(read)) {
      if (end !== undefined) return positionOf(end) >= position;
    }
    return position === '';
  }

  async answers(withinMs: number): Promise<boolean> {
    try {
      await within(withinMs, this.closing, async (signal) => {
        const reading = this.client.readAll({ from: null, direction: 'backward', limit: 1, signal, withinMs });
        await reading.next();
        await reading.return(undefined);
      });
      return true;
    } catch {
      return false;
    }
  }

  /** The id that this log was given under this namespace; null when nobody has used it yet. */
  async logId(): Promise<string | null> {
    for await (const { id } of this.untilRead(() => this.nameOfLog())) return id;
    return null;
  }

  /** The same in one attempt; throws the error of the client. */
  async logIdNow(): Promise<string | null> {
    try {
      for await (const { id } of this.nameOfLog()) return id;
    } catch (error) {
      if (!isMissingStream(error)) throw error;
    }
    if (this.closing.aborted) throw new EventStoreAway(new Error('the event store was closed'));
    return null;
  }

  private nameOfLog(): AsyncGenerator<WireEvent> {
    const name = this.names.onServer(NAME_OF_LOG);
    return this.client.readStream(name, { from: null, direction: 'forward', limit: 1, signal: this.closing });
  }

  async *stream(
    stream: string,
    options: { from?: bigint; direction?: Direction; limit?: number },
  ): AsyncGenerator<StoredEvent> {
    const direction = options.direction ?? 'forward';
    let from = options.from ?? null;
    let limit = options.limit ?? Infinity;
    const name = this.names.onServer(stream);
    const read = () =>
      this.sameLog.vouchFor(this.client.readStream(name, { from, direction, limit, signal: this.closing }));
    if (limit <= 0) return;
    try {
      for await (const wire of this.untilRead(read)) {
        from = direction === 'forward' ? wire.revision + 1n : wire.revision - 1n;
        limit -= 1;
        const event = this.names.eventOf(wire);
        if (event !== null) yield event;
        if (limit <= 0 || from < 0n) return;
      }
    } catch (error) {
      throw isDeletedStream(error) ? new StreamDeleted(stream) : error;
    }
  }

  async *all(options: Range & { limit?: number } & Selection): AsyncGenerator<StoredEvent> {
    let left = options.limit ?? Infinity;
    if (left <= 0) return;
    for await (const wire of this.between(options)) {
      const event = this.names.eventOf(wire);
      if (event === null || !selects(options, event)) continue;
      this.saw(event.position);
      yield event;
      left -= 1;
      if (left <= 0) return;
    }
  }

  /** Everybody's events between two positions, both exclusive; where one isn't given, from the log's beginning or end. */
  private async *between({ after, before, direction = 'forward' }: Range): AsyncGenerator<WireEvent> {
    const forward = direction === 'forward';
    const [begin = '', end = ''] = forward ? [after, before] : [before, after];
    let from = wirePosition(begin);
    // The server doesn't get this one, so its form is looked at here.
    wirePosition(end);
    if (before === '') return;
    const isPast = (position: Position, border: Position) => (forward ? position > border : position < border);
    let last = begin;
    const read = () => this.vouchedFor({ from, direction, limit: Infinity, signal: this.closing });
    for await (const wire of this.untilRead(read, begin)) {
      if (wire.position === undefined) continue;
      const position = positionOf(wire.position);
      // Forward the server begins with the event that stands at the position itself.
      if (last !== '' && !isPast(position, last)) continue;
      if (end !== '' && !isPast(end, position)) return;
      from = wire.position;
      last = position;
      yield wire;
    }
  }

  /**
   * What comes after a position, for a subscriber; one attempt, null when the signal is aborted meanwhile. Throws InvalidPosition
   * when the position is on no record, LogReplaced when it would come from another log, and the server's error when it can't be
   * read just now.
   */
  async page(after: Position, selection: Selection, limit: number, signal: AbortSignal): Promise<Page | null> {
    const from = wirePosition(after);
    const wanted = Math.max(limit + 1, PAGE);
    const events: StoredEvent[] = [];
    let looked = 0;
    let characters = 0;
    let own: Position = after;
    let any: Position = after;
    try {
      for await (const wire of this.vouchedFor({ from, direction: 'forward', limit: wanted, signal })) {
        looked += 1;
        if (wire.position === undefined) continue;
        const position = positionOf(wire.position);
        if (position <= after) continue;
        const event = this.names.eventOf(wire);
        const isFull = events.length === limit || characters >= PAGE_CHARACTERS;
        if (event !== null && isFull) return { events, upTo: own, isLast: false };
        any = position;
        if (event === null) continue;
        own = position;
        this.saw(position);
        if (!selects(selection, event)) continue;
        events.push(event);
        characters += JSON.stringify(event.data).length;
      }
    } catch (error) {
      throw refusalOf(error, after);
    }
    if (signal.aborted) return null;
    // What others wrote behind the last own event is passed over when nothing else came.
    return { events, upTo: own === after ? any : own, isLast: looked < wanted };
  }

  /** What the server says of the whole log, as long as it is this one. */
  private vouchedFor(options: ReadOptions<WirePosition>): AsyncGenerator<WireEvent> {
    return this.sameLog.vouchFor(this.client.readAll(options));
  }

  /** Reads again from where it broke until it has ended. `position` is where the caller wants it to begin. */
  private async *untilRead(read: () => AsyncGenerator<WireEvent>, position: Position = ''): AsyncGenerator<WireEvent> {
    let deadline = performance.now() + ANSWER_WITHIN_MS;
    let begin = position;
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      try {
        for await (const event of read()) {
          yield event;
          begin = '';
          delayMs = FIRST_RETRY_MS;
          deadline = performance.now() + ANSWER_WITHIN_MS;
        }
        if (this.closing.aborted) throw new EventStoreAway(new Error('the event store was closed'));
        return;
      } catch (error) {
        if (isMissingStream(error)) return;
        const late = performance.now() + delayMs > deadline || this.closing.aborted;
        const end = endOf(error, begin, late);
        if (end !== null) throw end;
        await pause(delayMs, this.closing);
      }
    }
  }
}

/** `begin` is a position that only the caller vouches for; '' when there is none. */
function refusalOf(error: unknown, begin: Position): unknown {
  return begin !== '' && isOffRecord(error) ? new InvalidPosition(begin) : error;
}

/** The error that a read ends with; null when it is worth another try. */
function endOf(error: unknown, begin: Position, late: boolean): Error | null {
  const refusal = refusalOf(error, begin);
  if (refusal instanceof InvalidPosition) return refusal;
  if (!isTransient(error)) return error instanceof Error ? error : new Error(String(error));
  return late ? new EventStoreAway(error) : null;
}
