import type { Position, StoredEvent } from '#domain/kernel/event';
import type { Batch, EventStore } from '#platform/event-store/event-store.port';

import type { AnyProjection } from './tables.js';

interface Stretch {
  readonly after: Position;
  /** Inclusive; not beyond the head. */
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
 * take itself for live although others know of more by now: then the log itself is asked whether something is still to come.
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
      yield isLast ? cutOff(value, upTo) : value;
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

function cutOff(batch: Batch, upTo: Position): { events: readonly StoredEvent[]; upTo: Position } {
  if (batch.upTo <= upTo) return { events: batch.events, upTo };
  return { events: batch.events.filter((event) => event.position <= upTo), upTo };
}
