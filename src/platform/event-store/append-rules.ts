import type { NewEvent, StoredEvent } from '#domain/kernel/event';

import { AppendTooLarge, type Expected, InvalidAppend, type Selection } from './event-store.port.js';

export const MAX_EVENTS = 500;
export const MAX_BYTES = 1024 * 1024;

const STREAM = /^[a-z]+-[^\p{Cc}\p{Cs}]+$/u;
const TYPE = /^[^$\p{Cc}\p{Cs}][^\p{Cc}\p{Cs}]*$/u;
const MAX_NAME = 500;
/** As JSON.stringify writes them, behind an even number of backslashes. */
const NUL = /(?<!\\)(?:\\\\)*\\u0000/;
const HALF_PAIR = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** An event whose JSON is known to be good and whose size is known. */
export interface SerialisedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: string;
}

/** Checks an append against the rules that hold on every adapter, and writes its JSON once. Throws InvalidAppend. */
export function serialise(stream: string, expected: Expected, events: readonly NewEvent[]): readonly SerialisedEvent[] {
  if (!STREAM.test(stream) || stream.length > MAX_NAME) {
    throw new InvalidAppend(`"${stream.slice(0, MAX_NAME)}" is not a stream name: category-id, category [a-z]+`);
  }
  if (typeof expected === 'bigint' && expected < 0n) throw new InvalidAppend('an exact revision is 0 or more');
  if (events.length === 0) throw new InvalidAppend('an append needs at least one event');
  if (events.length > MAX_EVENTS) throw new AppendTooLarge(`an append has at most ${MAX_EVENTS} events`);
  if (events.length > 1 && new Set(events.map((event) => event.id)).size < events.length) {
    throw new InvalidAppend('the events of one append need ids of their own');
  }
  const serialised = events.map(serialiseOne);
  const bytes = serialised.reduce(
    (sum, event) => sum + Buffer.byteLength(event.data) + Buffer.byteLength(event.metadata),
    0,
  );
  if (bytes > MAX_BYTES)
    throw new AppendTooLarge(`an append has at most ${MAX_BYTES} bytes of JSON, this one has ${bytes}`);
  return serialised;
}

function serialiseOne(event: NewEvent): SerialisedEvent {
  if (!UUID.test(event.id)) throw new InvalidAppend(`event id "${event.id}" is not a UUID in lower case`);
  if (!TYPE.test(event.type) || event.type.length > MAX_NAME) {
    throw new InvalidAppend(`"${event.type.slice(0, MAX_NAME)}" is not an event type`);
  }
  return { id: event.id, type: event.type, data: json(event.data), metadata: json(event.metadata) };
}

function json(value: object): string {
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new InvalidAppend(`an event can't be written as JSON: ${error instanceof Error ? error.message : 'unknown'}`);
  }
  // Nearly every text has no escape of either kind, which is seen much faster than that it matches nothing.
  if (!text.includes('\\u')) return text;
  // PostgreSQL's jsonb holds neither; every adapter refuses them, so that they agree.
  if (NUL.test(text)) throw new InvalidAppend('an event must not contain the character NUL');
  if (HALF_PAIR.test(text)) throw new InvalidAppend('an event must not contain half of a surrogate pair');
  return text;
}

/** Whether a reader wants this event. */
export function selects(selection: Selection, event: Pick<StoredEvent, 'type' | 'stream'>): boolean {
  const { types, streamPrefixes } = selection;
  if (types !== undefined && !types.includes(event.type)) return false;
  return streamPrefixes === undefined || streamPrefixes.some((prefix) => event.stream.startsWith(prefix));
}
