import type { Position, StoredEvent } from '#domain/kernel/event';
import type { EventStore } from '#platform/event-store/event-store.port';

import type { EventTail, Stretch } from './event-tail.js';
import { frameOf, greeting, HEARTBEAT, placeFrame } from './frames.js';

/** What somebody wants to read. */
export interface Reading {
  readonly after: Position;
  /** Only these; all without it. */
  readonly types?: readonly string[];
  /** What else decides whether an event is wanted. */
  readonly wants: (event: StoredEvent) => boolean | Promise<boolean>;
  /** Asked about what came live, and from time to time: whether the reader may go on. */
  readonly mayGoOn: (events: readonly StoredEvent[]) => Promise<boolean>;
}

const HEARTBEAT_MS = 15_000;
/** So often a reader is told how far it is although nothing was for it. */
const PLACE_MS = 1000;
const CHUNK_CHARACTERS = 128 * 1024;

/**
 * The text that one reader gets, in pieces, each made when the one before was taken: whoever doesn't take them holds one piece
 * and nothing else. Ends when the signal aborts or the reader may not go on.
 */
export async function* textFor(
  reading: Reading,
  { store, tail, signal }: { readonly store: EventStore; readonly tail: EventTail; readonly signal: AbortSignal },
): AsyncGenerator<string> {
  yield greeting(reading.after);
  let told = reading.after;
  let toldAt = performance.now();
  for await (const { events, upTo, isLive } of stretches(reading, { store, tail, signal })) {
    for await (const chunk of chunks(reading, events)) {
      yield chunk;
      toldAt = performance.now();
      told = upTo;
      // A stretch can be long, and who takes it slowly may have been signed out since.
      if (!(await reading.mayGoOn([]))) return;
    }
    if (!(await reading.mayGoOn(isLive ? events.map(({ event }) => event) : []))) return;
    const silentMs = performance.now() - toldAt;
    if (upTo !== told && silentMs > PLACE_MS) yield placeFrame(upTo);
    else if (silentMs > HEARTBEAT_MS) yield HEARTBEAT;
    else continue;
    toldAt = performance.now();
    told = upTo;
  }
}

/** Everything after the reader's place: from the log until it meets the tail, then from there; also empty, every second. */
async function* stretches(
  { after, types }: Reading,
  { store, tail, signal }: { readonly store: EventStore; readonly tail: EventTail; readonly signal: AbortSignal },
): AsyncGenerator<Stretch & { readonly isLive: boolean }> {
  let position = after;
  while (!signal.aborted) {
    // Asleep before the look: what comes in between wakes this reader all the same.
    const doze = tail.doze(signal);
    const stretch = tail.after(position);
    if (stretch === null) {
      doze.end();
      for await (const { events, upTo } of store.subscribe({ after: position, signal, ...(types && { types }) })) {
        yield { events: events.map((event) => ({ event, frame: frameOf(event) })), upTo, isLive: false };
        position = upTo;
        if (tail.reaches(position)) break;
      }
      continue;
    }
    const isNew = stretch.upTo !== position;
    position = stretch.upTo;
    yield { ...stretch, isLive: true };
    if (isNew) doze.end();
    else await doze.over;
  }
}

async function* chunks({ types, wants }: Reading, events: Stretch['events']): AsyncGenerator<string> {
  let chunk = '';
  for (const { event, frame } of events) {
    if (types?.includes(event.type) === false) continue;
    const isWanted = wants(event);
    if (!(typeof isWanted === 'boolean' ? isWanted : await isWanted)) continue;
    chunk += frame;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}
