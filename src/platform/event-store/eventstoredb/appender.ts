import type { NewEvent, Position } from '#domain/kernel/event';
import { pause } from '#platform/clock/pause';
import { newId } from '#platform/ids/ids';

import { serialise } from '../append-rules.js';
import {
  type Appended,
  AppendTooLarge,
  EventIdReused,
  EventStoreAway,
  type Expected,
  StreamDeleted,
  WrongExpectedRevision,
} from '../event-store.port.js';
import type { EventStoreDbClient } from './client.js';
import {
  NAME_OF_LOG,
  positionOf,
  type StreamNames,
  utf8,
  type WireNewEvent,
  wireMetadata,
  wireRevision,
} from './codec.js';
import { actualRevision, isDeletedStream, isOutcomeUnknown, isTooLarge, NoBatches } from './failures.js';
import type { Reader } from './reader.js';
import type { SameLog } from './same-log.js';

/** So long the server may be away before those who wait are told. */
const ANSWER_WITHIN_MS = 15_000;
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 1000;

/**
 * Appends, each one call at once. When its answer is lost it is sent again with the same ids at the same expected revision:
 * the server recognises it. At `any` and `stream-exists` it might not, so those are sent once.
 */
export class Appender {
  private readonly underWay = new Set<Promise<unknown>>();

  constructor(
    private readonly client: EventStoreDbClient,
    private readonly reader: Reader,
    private readonly names: StreamNames,
    private readonly sameLog: SameLog,
    private readonly closing: AbortSignal,
  ) {}

  async append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended> {
    const checked = serialise(stream, expected, events);
    const wire = events.map(({ id, type, metadata }, index) => ({
      id,
      type,
      // The text that was checked: what the caller does to its object meanwhile reaches nobody.
      data: utf8(checked[index]?.data ?? ''),
      metadata: wireMetadata(metadata),
    }));
    return this.counted(this.untilAnswered(stream, expected, wire));
  }

  /** Gives the log an id, unless somebody else was faster. Throws NoBatches where nothing could be appended ever. */
  async nameLog(): Promise<void> {
    const record = { id: newId(), type: 'LogNamed', data: utf8('{}'), metadata: utf8('{}') };
    try {
      await this.counted(this.untilAnswered(NAME_OF_LOG, 'no-stream', [record]));
    } catch (error) {
      if (error instanceof EventStoreAway && error.cause instanceof NoBatches) throw error.cause;
      if (!(error instanceof WrongExpectedRevision)) throw error;
    }
  }

  /** Resolves when no append is under way any more. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.underWay);
  }

  private async counted(work: Promise<Appended>): Promise<Appended> {
    this.underWay.add(work);
    try {
      return await work;
    } finally {
      this.underWay.delete(work);
    }
  }

  private async untilAnswered(stream: string, expected: Expected, events: readonly WireNewEvent[]): Promise<Appended> {
    const deadline = performance.now() + ANSWER_WITHIN_MS;
    // What lies at or before this was stored before; the server gives no other hint.
    const newest = this.reader.newest;
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      try {
        await this.sameLog.assure();
        const answer = await this.client.append(this.names.onServer(stream), wireRevision(expected), events);
        // The connection may have become another one on the way.
        await this.sameLog.assure();
        const position =
          answer.position === undefined ? await this.readBack(stream, events) : positionOf(answer.position);
        this.reader.saw(position);
        return { revision: answer.revision, position, duplicate: position <= newest };
      } catch (error) {
        if (error instanceof EventStoreAway) throw error;
        if (!isOutcomeUnknown(error)) throw await this.refusal(error, stream, expected, events);
        const repeatable = typeof expected === 'bigint' || expected === 'no-stream';
        const late = performance.now() + delayMs > deadline || this.closing.aborted;
        if (!repeatable || late) throw new EventStoreAway(error);
        await pause(delayMs, this.closing);
      }
    }
  }

  /** Where the last of events that were stored stands. */
  private async readBack(stream: string, events: readonly WireNewEvent[]): Promise<Position> {
    const id = events.at(-1)?.id;
    for await (const event of this.reader.stream(stream, { direction: 'backward' }))
      if (event.id === id) return event.position;
    throw new EventStoreAway(new Error('the event store neither said nor shows where it put an append'));
  }

  private async refusal(
    error: unknown,
    stream: string,
    expected: Expected,
    events: readonly WireNewEvent[],
  ): Promise<unknown> {
    // Another log would say the same of its own streams.
    await this.sameLog.assure();
    if (isTooLarge(error)) return new AppendTooLarge('the append is larger than the event store takes');
    if (isDeletedStream(error)) return new StreamDeleted(stream);
    const actual = actualRevision(error);
    if (actual === null) return error;
    if (await this.standsThere(stream, expected, events)) return new EventIdReused(stream);
    return new WrongExpectedRevision(stream, expected, actual);
  }

  /** Whether one of the events is behind the revision that was expected, where the same append as a whole is not. */
  private async standsThere(stream: string, expected: Expected, events: readonly WireNewEvent[]): Promise<boolean> {
    const ids = new Set(events.map(({ id }) => id));
    const from = typeof expected === 'bigint' ? expected + 1n : 0n;
    for await (const { id } of this.reader.stream(stream, { from })) if (ids.has(id)) return true;
    return false;
  }
}
