import type { NewEvent, Position, StoredEvent } from '#domain/kernel/event';

import { Sleepers } from '#platform/clock/sleepers';

import { selects, serialise } from './append-rules.js';
import {
  type Appended,
  type Batch,
  EventIdReused,
  EventStore,
  type Expected,
  InvalidPosition,
  type Selection,
  WrongExpectedRevision,
} from './event-store.port.js';

const POSITION_DIGITS = 20;
const DEFAULT_BATCH = 500;

/** A log in memory, for tests and trials: the same behaviour as the real ones, and nothing survives. */
export class InMemoryEventStore extends EventStore {
  private readonly log: StoredEvent[] = [];
  private readonly streams = new Map<string, StoredEvent[]>();
  private readonly byId = new Map<string, StoredEvent>();
  private readonly sleepers = new Sleepers();

  append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended> {
    return new Promise((resolve) => {
      resolve(this.appendNow(stream, expected, events));
    });
  }

  private appendNow(stream: string, expected: Expected, events: readonly NewEvent[]): Appended {
    const serialised = serialise(stream, expected, events);
    const own = this.streams.get(stream) ?? [];
    const actual = BigInt(own.length) - 1n;
    const earlier = this.earlier(stream, expected, events);
    if (earlier !== null) return earlier;
    if (!fits(expected, actual)) throw new WrongExpectedRevision(stream, expected, actual);
    const recordedAt = new Date();
    for (const event of serialised) {
      const stored: StoredEvent = {
        id: event.id,
        type: event.type,
        data: JSON.parse(event.data) as object,
        metadata: JSON.parse(event.metadata) as StoredEvent['metadata'],
        stream,
        revision: BigInt(own.length),
        position: String(this.log.length + 1).padStart(POSITION_DIGITS, '0'),
        recordedAt,
      };
      own.push(stored);
      this.log.push(stored);
      this.byId.set(stored.id, stored);
    }
    this.streams.set(stream, own);
    this.sleepers.wakeAll();
    return { revision: BigInt(own.length) - 1n, position: this.headNow(), duplicate: false };
  }

  /** The first answer again when just this was appended before at just this place. */
  private earlier(stream: string, expected: Expected, events: readonly NewEvent[]): Appended | null {
    const known = events.flatMap((event) => this.byId.get(event.id) ?? []);
    if (known.length === 0) return null;
    const last = known.at(-1);
    const whole = known.length === events.length && known.every((event) => event.stream === stream);
    const first = known[0];
    if (!whole || last === undefined || first === undefined) throw new EventIdReused(stream);
    const place = expected === 'no-stream' ? -1n : typeof expected === 'bigint' ? expected : first.revision - 1n;
    const inOrder = known.every((event, index) => event.revision === first.revision + BigInt(index));
    if (first.revision !== place + 1n || !inOrder) throw new EventIdReused(stream);
    return { revision: last.revision, position: last.position, duplicate: true };
  }

  async *readStream(
    stream: string,
    options: { readonly from?: bigint; readonly direction?: 'forward' | 'backward'; readonly limit?: number } = {},
  ): AsyncIterable<StoredEvent> {
    const { from, direction = 'forward', limit = Infinity } = options;
    const events = [...(this.streams.get(stream) ?? [])];
    if (direction === 'backward') events.reverse();
    const wanted = events.filter((event) =>
      from === undefined ? true : direction === 'forward' ? event.revision >= from : event.revision <= from,
    );
    yield* await Promise.resolve(wanted.slice(0, limit));
  }

  async *readAll(
    options: {
      readonly after?: Position;
      readonly before?: Position;
      readonly direction?: 'forward' | 'backward';
      readonly limit?: number;
    } & Selection = {},
  ): AsyncIterable<StoredEvent> {
    const { after, before, direction = 'forward', limit = Infinity } = options;
    refuseForeign(after, before);
    const events = this.log.filter(
      (event) =>
        (after === undefined || event.position > after) &&
        (before === undefined || event.position < before) &&
        selects(options, event),
    );
    if (direction === 'backward') events.reverse();
    yield* await Promise.resolve(events.slice(0, limit));
  }

  async *subscribe(
    options: { readonly after: Position; readonly signal: AbortSignal; readonly maxBatch?: number } & Selection,
  ): AsyncIterable<Batch> {
    const { signal, maxBatch = DEFAULT_BATCH } = options;
    let position = options.after;
    refuseForeign(position);
    let told = false;
    while (!signal.aborted) {
      const looked = this.log.slice(Number(position === '' ? 0 : BigInt(position))).slice(0, maxBatch);
      const last = looked.at(-1);
      const upTo = last?.position ?? position;
      const live = upTo >= this.headNow();
      if (last !== undefined || !told) {
        told = true;
        position = upTo;
        yield { events: looked.filter((event) => selects(options, event)), upTo, live };
        continue;
      }
      await this.sleepers.sleep(signal);
    }
  }

  head(): Promise<Position> {
    return Promise.resolve(this.headNow());
  }

  reaches(position: Position): Promise<boolean> {
    return Promise.resolve(this.headNow() >= position);
  }

  private headNow(): Position {
    return this.log.at(-1)?.position ?? '';
  }
}

function refuseForeign(...positions: readonly (Position | undefined)[]): void {
  for (const position of positions) {
    if (position !== undefined && position !== '' && !/^0\d{19}$/.test(position)) throw new InvalidPosition(position);
  }
}

function fits(expected: Expected, actual: bigint): boolean {
  switch (expected) {
    case 'any':
      return true;
    case 'no-stream':
      return actual === -1n;
    case 'stream-exists':
      return actual >= 0n;
    default:
      return expected === actual;
  }
}
