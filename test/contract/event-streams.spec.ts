import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { type Reading, textFor } from '#platform/event-stream/event-reader';
import { EventTail } from '#platform/event-stream/event-tail';
import { TextStream, TooSlow } from '#platform/event-stream/text-stream';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { newId } from '#platform/ids/ids';

import { anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

/** More than the tail keeps. */
const MANY = 25_000;
const PER_APPEND = 500;

describe('readers of the stream of events', () => {
  let store: InMemoryEventStore;
  let tail: EventTail;
  let gone: AbortController;

  beforeEach(async () => {
    store = new InMemoryEventStore();
    tail = new EventTail(store, silentLog);
    gone = new AbortController();
    await tail.join();
  });

  afterEach(() => {
    gone.abort();
    tail.leave();
  });

  const write = async (count: number) => {
    for (let written = 0; written < count; written += PER_APPEND) {
      const events = Array.from({ length: Math.min(PER_APPEND, count - written) }, () => anEvent('Noted'));
      await store.append(`note-${newId()}`, 'no-stream', events);
    }
  };
  const reader = (options: Partial<Reading> = {}) =>
    textFor(
      { after: '', wants: () => true, mayGoOn: () => Promise.resolve(true), ...options },
      { store, tail, signal: gone.signal },
    );
  const idsIn = (text: string) => [...text.matchAll(/^id: (\S+)\nevent/gm)].map(([, id]) => id);

  it('get everything once and in order, also who falls far behind the tail', async () => {
    const quick = reader();
    const slow = reader();
    const seen: { quick: unknown[]; slow: unknown[] } = { quick: [], slow: [] };
    await slow.next();
    await write(PER_APPEND);
    // It takes one piece of the tail, and nothing for as long as the tail moves on by more than it keeps.
    seen.slow.push(...idsIn(String((await slow.next()).value)));
    const reading = (async () => {
      for await (const piece of quick) {
        seen.quick.push(...idsIn(piece));
        if (seen.quick.length >= MANY) break;
      }
    })();
    await write(MANY - PER_APPEND);
    await reading;
    expect(tail.reaches(String(seen.slow.at(-1)))).toBe(false);
    for await (const piece of slow) {
      seen.slow.push(...idsIn(piece));
      if (seen.slow.length >= MANY) break;
    }
    const positions = Array.from({ length: MANY }, (_, index) => String(index + 1).padStart(20, '0'));
    expect(seen.quick).toEqual(positions);
    expect(seen.slow).toEqual(positions);
  }, 60_000);

  it('miss nothing when they come, go and come again while the log is slow to say where it ends', async () => {
    tail.leave();
    const answers: (() => void)[] = [];
    const head = store.head.bind(store);
    const slow = Object.assign(Object.create(store) as InMemoryEventStore, {
      head: async () => {
        const known = await head();
        await new Promise<void>((resolve) => answers.push(resolve));
        return known;
      },
    });
    tail = new EventTail(slow, silentLog);
    const first = tail.join();
    await eventually(() => {
      expect(answers).toHaveLength(1);
    });
    tail.leave();
    await write(3);
    const begin = await head();
    const second = tail.join();
    await eventually(() => {
      expect(answers).toHaveLength(2);
    });
    answers[1]?.();
    await second;
    answers[0]?.();
    await first;
    await write(2);
    await eventually(() => {
      expect(tail.after(begin)?.events).toHaveLength(2);
    });
    // What came before it joined is not kept, and nobody is told that it is.
    expect(tail.after('')).toBeNull();
  });

  it('do not keep this process busy when the log ends what is followed', async () => {
    let calls = 0;
    const closed = Object.assign(Object.create(store) as InMemoryEventStore, {
      subscribe: async function* () {
        calls += 1;
        if (calls > 1000) throw new Error('it is asked again and again');
        await Promise.resolve();
        yield* [];
      },
    });
    const own = new EventTail(closed, silentLog);
    await own.join();
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    own.leave();
    expect(calls).toBe(1);
  });

  it('hear how far they are though nothing is for them, and begin there the next time', async () => {
    const text = reader({ types: ['NothingEver'] });
    await text.next();
    await write(10);
    expect((await text.next()).value).toBe('id: 00000000000000000010\n\n');
  });

  it('end when they may not go on', async () => {
    const text = reader({ mayGoOn: (events) => Promise.resolve(events.length === 0) });
    await text.next();
    await write(1);
    const rest: string[] = [];
    for await (const piece of text) rest.push(piece);
    expect(idsIn(rest.join(''))).toHaveLength(1);
  });

  it('end between two pieces of what they catch up with, however slowly they take them', async () => {
    for (let count = 0; count < 20; count += 1) {
      await store.append('note-large', 'any', [anEvent('Noted', { text: 'x'.repeat(256 * 1024) })]);
    }
    let may = true;
    const text = reader({ mayGoOn: () => Promise.resolve(may) });
    await text.next();
    expect(idsIn(String((await text.next()).value)).length).toBeGreaterThan(0);
    may = false;
    const rest: string[] = [];
    for await (const piece of text) rest.push(piece);
    expect(rest).toEqual([]);
  });

  it('hold one piece and are broken off when nobody takes it', async () => {
    let made = 0;
    async function* pieces(): AsyncGenerator<string> {
      for (;;) {
        made += 1;
        yield await Promise.resolve('x'.repeat(128 * 1024));
      }
    }
    let isGone = false;
    const stream = new TextStream(pieces(), {
      takenWithinMs: 200,
      onGone: () => {
        isGone = true;
      },
    });
    let failure: Error | null = null;
    stream.once('error', (error) => {
      failure = error;
    });
    stream.once('readable', () => undefined);
    await eventually(() => {
      expect(failure).toBeInstanceOf(TooSlow);
    });
    expect(isGone).toBe(true);
    expect(made).toBeLessThanOrEqual(2);
  });
});
