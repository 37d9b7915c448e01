import type { Position, StoredEvent } from '#domain/kernel/event';
import { type Batch, type EventStore, EventStoreAway } from '#platform/event-store/event-store.port';

import type { AnyProjection } from './tables.js';

/**
 * The log ends before a place that it had come to: it lost its end, or another one is in its place, or the node that answers lags.
 * Whoever reads waits as for a log that is away, rather than taking for read what nobody read.
 */
export class LogFallsShort extends EventStoreAway {
  constructor() {
    super(new Error('the log ends before a place that it had come to'));
    this.name = 'LogFallsShort';
    this.message = 'the log ends before a place that it had come to; see that the server that answers has all of it';
  }
}

interface Stretch {
  readonly after: Position;
  /** Inclusive; a place that the log has come to. */
  readonly upTo: Position;
  readonly maxBatch: number;
  readonly signal: AbortSignal;
  /** Whether the next page is read while one is being worked on; it is where nobody says otherwise. */
  readonly ahead?: () => boolean;
}

/** The part of the log that a projection is interested in. */
export function selectionOf({ handles }: AnyProjection): { readonly types?: readonly string[] } {
  return handles === 'all' ? {} : { types: handles };
}

/**
 * A stretch of the log for a projection, page by page; while one page is being worked on, the next one may be read. A reader may
 * take itself for live although others know of more by now: then the log itself is asked whether something is still to come. Throws LogFallsShort.
 */
export async function* pages(
  store: EventStore,
  projection: AnyProjection,
  { after, upTo, maxBatch, signal, ahead = () => true }: Stretch,
): AsyncIterable<{ readonly events: readonly StoredEvent[]; readonly upTo: Position }> {
  if (after >= upTo) return;
  // A subscription never ends by itself: when the stretch is over it is called off.
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const source = store.subscribe({ after, signal: until, maxBatch, unparsed: true, ...selectionOf(projection) });
  const iterator = source[Symbol.asyncIterator]();
  const read = () => {
    const reading = iterator.next();
    // Where nobody waits for this page any more, nobody wants to know why it failed.
    reading.catch(() => undefined);
    return reading;
  };
  try {
    for (let reading = read(); ;) {
      const result = await reading;
      if (result.done === true) return;
      const { value } = result;
      const isLast = value.upTo >= upTo || (await isAtHead(store, value));
      const early = !isLast && ahead();
      if (early) reading = read();
      yield isLast ? await cutOff(store, value, upTo) : value;
      if (isLast) return;
      if (!early) reading = read();
    }
  } finally {
    over.abort();
    await iterator.return?.();
  }
}

async function isAtHead(store: EventStore, { live, upTo }: Batch): Promise<boolean> {
  return live && (await store.head()) <= upTo;
}

async function cutOff(store: EventStore, { events, upTo: lookedUpTo }: Batch, upTo: Position) {
  // Between the newest event and the end of the stretch there is nothing of ours, if the log has come that far.
  if (lookedUpTo < upTo && !(await store.reaches(upTo))) throw new LogFallsShort();
  return { events: events.filter((event) => event.position <= upTo), upTo };
}
