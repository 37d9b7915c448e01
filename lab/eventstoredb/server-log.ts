import { randomUUID } from 'node:crypto';

/** Revisions that stand for situations, as the server numbers them inside. */
export const NO_STREAM = -1n;
export const ANY = -2n;
export const STREAM_EXISTS = -4n;

/** Ticks of 100 ns from the year 1970, as the server counts. */
const TICKS_PER_MS = 10_000n;
/** Bytes that a record takes beside what it holds; positions are offsets of bytes, so there are gaps. */
const RECORD_BYTES = 117;
/** Before anything is written, the server has written something itself. */
const FIRST_OFFSET = 1338n;
/** At which the end of a stream that was deleted for ever stands. */
const LAST_REVISION = 2n ** 63n - 1n;
/** The server writes about itself in between. */
const OWN_EVERY = 7;

export interface Proposed {
  readonly id: string;
  readonly type: string;
  readonly isJson: boolean;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

export interface Recorded extends Proposed {
  readonly stream: string;
  readonly revision: bigint;
  /** Commit and prepare position are equal. */
  readonly offset: bigint;
  readonly createdTicks: bigint;
}

export type Outcome =
  | { readonly stored: true; readonly revision: bigint; readonly offset: bigint }
  | { readonly stored: false; readonly current: bigint };

/** What the server keeps and how it judges appends; everything in memory, nothing of the wire. */
export class ServerLog {
  readonly records: Recorded[] = [];
  private readonly streams = new Map<string, Recorded[]>();
  private readonly tombstoned = new Set<string>();
  /** The server remembers the ids of late commits, each with one place only. */
  private readonly byId = new Map<string, Recorded>();
  private readonly listeners = new Set<(records: readonly Recorded[]) => void>();
  private next = FIRST_OFFSET;
  private appends = 0;

  constructor() {
    this.writeOwn('$users', '$User-created');
    // An ordinary type in a stream of the server: only the stream's name tells.
    this.writeOwn('$settings', 'update');
  }

  /** Idempotent as the server is: the same ids at the same place, or, where no place is named, all known in this stream. */
  append(stream: string, expected: bigint, events: readonly Proposed[]): Outcome {
    const own = this.streams.get(stream) ?? [];
    const current = BigInt(own.length) - 1n;
    if (expected === STREAM_EXISTS && own.length === 0) return { stored: false, current };
    if (expected === ANY || expected === STREAM_EXISTS) return this.appendAnywhere(stream, own, events);
    if (expected > current) return { stored: false, current };
    if (expected === current) return this.store(stream, own, events);
    const there = own.slice(Number(expected + 1n)).slice(0, events.length);
    const same = events.every(({ id }, index) => there[index]?.id === id);
    const last = there.at(-1);
    if (!same || last === undefined) return { stored: false, current };
    return { stored: true, revision: last.revision, offset: last.offset };
  }

  private appendAnywhere(stream: string, own: Recorded[], events: readonly Proposed[]): Outcome {
    const known = events.map(({ id }) => this.byId.get(id)).map((event) => (event?.stream === stream ? event : null));
    if (known[0] === null) return this.store(stream, own, events);
    const last = known.includes(null) ? null : known.at(-1);
    if (last == null) return { stored: false, current: BigInt(own.length) - 1n };
    return { stored: true, revision: last.revision, offset: last.offset };
  }

  /** Deletes a stream for ever. What was in it stays where all streams are read, and is followed by its end. */
  tombstone(stream: string): void {
    this.tombstoned.add(stream);
    this.tell([this.record(stream, LAST_REVISION, ownEvent('$streamDeleted'))]);
  }

  isTombstoned(stream: string): boolean {
    return this.tombstoned.has(stream);
  }

  /** Null when the stream was never written to. */
  stream(name: string): readonly Recorded[] | null {
    return this.streams.get(name) ?? null;
  }

  /** The index of the first record at or behind an offset; null when the offset is inside the log and on no record. */
  indexOf(offset: bigint): number | null {
    let index = 0;
    for (let end = this.records.length; index < end;) {
      const middle = Math.floor((index + end) / 2);
      if ((this.records[middle]?.offset ?? 0n) < offset) index = middle + 1;
      else end = middle;
    }
    if (index === this.records.length) return index;
    return this.records[index]?.offset === offset ? index : null;
  }

  /** Where the record behind this one begins, or will. */
  endOf(record: Recorded): bigint {
    return record.offset + sizeOf(record);
  }

  onGrowth(listener: (records: readonly Recorded[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private store(stream: string, own: Recorded[], events: readonly Proposed[]): Outcome {
    this.appends += 1;
    if (this.appends % OWN_EVERY === 0) this.writeOwn('$stats-127.0.0.1:2113', '$statsCollected');
    const stored = this.write(stream, own, events);
    const last = stored.at(-1);
    this.tell(stored);
    return { stored: true, revision: last?.revision ?? -1n, offset: last?.offset ?? 0n };
  }

  private write(stream: string, own: Recorded[], events: readonly Proposed[]): readonly Recorded[] {
    const stored = events.map((event, index) => this.record(stream, BigInt(own.length + index), event));
    own.push(...stored);
    this.streams.set(stream, own);
    return stored;
  }

  private record(stream: string, revision: bigint, event: Proposed): Recorded {
    const createdTicks = BigInt(Date.now()) * TICKS_PER_MS;
    const record = { ...event, stream, revision, offset: this.next, createdTicks };
    this.next += sizeOf(event);
    this.records.push(record);
    this.byId.set(record.id, record);
    return record;
  }

  private tell(stored: readonly Recorded[]): void {
    for (const listener of [...this.listeners]) listener(stored);
  }

  private writeOwn(stream: string, type: string): void {
    this.tell(this.write(stream, this.streams.get(stream) ?? [], [ownEvent(type)]));
  }
}

function ownEvent(type: string): Proposed {
  return { id: randomUUID(), type, isJson: true, data: new TextEncoder().encode('{}'), metadata: new Uint8Array() };
}

function sizeOf({ data, metadata }: Proposed): bigint {
  return BigInt(RECORD_BYTES + data.length + metadata.length);
}
