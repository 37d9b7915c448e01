import type { NewEvent, Position, StoredEvent } from '#domain/kernel/event';

/** The revision a stream must have for an append to be accepted: that of its last event, or a named situation. */
export type Expected = bigint | 'no-stream' | 'stream-exists' | 'any';

export interface Appended {
  /** Revision and position of the last event of the append. */
  readonly revision: bigint;
  readonly position: Position;
  /**
   * True when the same append had been stored before: this is the first answer again. What another process stored since this one
   * last heard of the log may pass for new.
   */
  readonly duplicate: boolean;
}

/** Which events of the whole log are wanted; both given means both must hold. */
export interface Selection {
  readonly types?: readonly string[];
  readonly streamPrefixes?: readonly string[];
}

export interface Batch {
  readonly events: readonly StoredEvent[];
  /** Everything up to here has been looked at, also when nothing of it was selected. */
  readonly upTo: Position;
  /** True when the reader has caught up with the head. */
  readonly live: boolean;
}

/**
 * The log. Adapters differ in speed, never in behaviour: one contract suite runs on all of them.
 *
 * - Revisions are contiguous per stream; positions only grow, gaps are allowed.
 * - An append is atomic: 1 to 500 events, at most 1 MiB of JSON. The same ids at the same place with `no-stream` or an
 *   exact revision answer the first result again (`duplicate`); ids that stand elsewhere behind the expected revision are
 *   refused with EventIdReused. Two equal ids in one append are refused. Beyond that an id that is in use (in another stream,
 *   before the expected revision, with `any` or `stream-exists`) may be refused or stored again: read before you append.
 * - Streams are named `category-id` (category `[a-z]+`); neither streams nor event types may begin with `$`.
 * - `after` is exclusive everywhere. A position that this log never gave (other form, inside a record) is refused with
 *   InvalidPosition by the first read; one beyond the head reads as empty.
 */
export abstract class EventStore {
  /** Throws WrongExpectedRevision, EventIdReused, InvalidAppend or StreamDeleted; EventStoreAway when the outcome isn't known. */
  abstract append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended>;

  /** A missing stream reads as empty, of one that was deleted StreamDeleted is thrown. `from` is inclusive. */
  abstract readStream(
    stream: string,
    options?: { readonly from?: bigint; readonly direction?: 'forward' | 'backward'; readonly limit?: number },
  ): AsyncIterable<StoredEvent>;

  abstract readAll(
    options?: {
      readonly after?: Position;
      readonly before?: Position;
      readonly direction?: 'forward' | 'backward';
      readonly limit?: number;
    } & Selection,
  ): AsyncIterable<StoredEvent>;

  /**
   * Never ends by itself and reconnects by itself; ends promptly when `signal` aborts. Who reads much and looks at little says
   * `unparsed`: a log that can, parses data and metadata when they are first looked at.
   */
  abstract subscribe(
    options: {
      readonly after: Position;
      readonly signal: AbortSignal;
      readonly maxBatch?: number;
      readonly unparsed?: boolean;
    } & Selection,
  ): AsyncIterable<Batch>;

  /** Position of the newest event, '' for an empty log. */
  abstract head(): Promise<Position>;

  /**
   * Whether the log is as long as this position of it says. Where others write to the same log, that may lie behind the newest event;
   * a log that lost its end, or a node that lags, is shorter.
   */
  abstract reaches(position: Position): Promise<boolean>;
}

/** What tells a log from all others. */
export interface LogIdentity {
  readonly kind: 'postgresql' | 'eventstoredb';
  /** null where the kind says it all, and for a log that nobody has named yet. */
  readonly id: string | null;
}

/** A log with connections of its own. */
export abstract class OpenEventStore extends EventStore {
  /** Opens what it needs; call it before anything else. Throws when this log can't be used as it is set up. */
  abstract start(): Promise<void>;

  /** Ends all subscriptions, waits for appends under way, and lets go of everything. */
  abstract close(): Promise<void>;

  /** Whether the log answers just now, within two seconds. Never throws. */
  abstract answers(): Promise<boolean>;

  /**
   * Resolves when another log turned out to be in the place of the one whose identity was asked for first. Nothing is appended or
   * followed from then on; where that can't happen it stays as it is.
   */
  abstract readonly replaced: Promise<void>;

  /** Which log this is. Changes nothing. */
  abstract identity(): Promise<LogIdentity>;

  /** The same for one that is used from now on: where it had no id it has one then. */
  abstract named(): Promise<LogIdentity>;
}

/** Somebody else was faster, or the stream isn't what the caller thought. */
export class WrongExpectedRevision extends Error {
  constructor(
    readonly stream: string,
    readonly expected: Expected,
    /** Revision the stream really has; -1n when it doesn't exist. */
    readonly actual: bigint,
  ) {
    super(`stream ${stream} is at revision ${actual.toString()}, not at ${expected.toString()}`);
    this.name = 'WrongExpectedRevision';
  }
}

/** The stream isn't at the revision at which the caller wants it changed. */
export class StreamHasMoved extends Error {
  constructor(
    readonly stream: string,
    /** Revision the stream has; -1n when it is empty. */
    readonly actual: bigint,
  ) {
    super(`stream ${stream} is at revision ${actual.toString()}`);
    this.name = 'StreamHasMoved';
  }
}

/** The event id is stored already, elsewhere or with other companions. */
export class EventIdReused extends Error {
  constructor(readonly stream: string) {
    super(`an event id of this append to ${stream} is in use already`);
    this.name = 'EventIdReused';
  }
}

/** The append breaks a rule of the port (name, size, count, equal ids). */
export class InvalidAppend extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'InvalidAppend';
  }
}

/** The append is larger than the log takes: in bytes, or in events. */
export class AppendTooLarge extends InvalidAppend {
  constructor(reason: string) {
    super(reason);
    this.name = 'AppendTooLarge';
  }
}

/** Somebody deleted a stream on the server, for ever. That is no empty stream: what was in it is missed. */
export class StreamDeleted extends Error {
  constructor(stream: string) {
    super(
      `stream ${stream} was deleted on the event store, for ever; restore the event store from a backup that has it`,
    );
    this.name = 'StreamDeleted';
  }
}

/** Whether the log itself refused for good, so that what it was given isn't stored. */
export function isRefusedByLog(error: unknown): boolean {
  return error instanceof AppendTooLarge || error instanceof StreamDeleted;
}

/** The position is none of this log. */
export class InvalidPosition extends Error {
  constructor(readonly position: string) {
    super('the position is none of this log');
    this.name = 'InvalidPosition';
  }
}

/**
 * The log does not answer just now. An append may have been stored all the same: repeated at the same revision it is
 * recognised.
 */
export class EventStoreAway extends Error {
  constructor(override readonly cause: unknown) {
    super('the event store does not answer just now');
    this.name = 'EventStoreAway';
  }
}
