import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { type Reading, textFor } from '#platform/event-stream/event-reader';
import { EventStreams } from '#platform/event-stream/event-streams';
import { EventTail } from '#platform/event-stream/event-tail';
import { TextStream, TooSlow } from '#platform/event-stream/text-stream';
import type { EventStore } from '#platform/event-store/event-store.port';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import type { Sessions } from '#platform/http/sessions.port';
import { newId } from '#platform/ids/ids';

import { anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

/** As a connection to the database fails that is refused. */
const AWAY = { code: 'ECONNREFUSED', syscall: 'connect' };
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
  /** The log, but for what is given here. */
  const behaving = (otherwise: Partial<Pick<EventStore, 'head' | 'subscribe'>>) =>
    Object.assign(Object.create(store) as InMemoryEventStore, otherwise);
  /** A tail of this log, instead of the one that was followed from the beginning. */
  const follow = async (log: EventStore) => {
    tail.leave();
    tail = new EventTail(log, silentLog);
    await tail.join();
  };
  const letOthers = async () => {
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const positionsTo = (count: number) =>
    Array.from({ length: count }, (_, index) => String(index + 1).padStart(20, '0'));
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
      if (seen.slow.length >= MANY || seen.slow.at(-1) === (await store.head())) break;
    }
    const positions = positionsTo(MANY);
    expect(seen.quick).toEqual(positions);
    expect(seen.slow).toEqual(positions);
  }, 60_000);

  it('miss nothing when they come, go and come again while the log is slow to say where it ends', async () => {
    tail.leave();
    const answers: (() => void)[] = [];
    const head = store.head.bind(store);
    const slow = behaving({
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
    const closed = behaving({
      subscribe: async function* () {
        calls += 1;
        // Nothing else would come to its turn, this test neither.
        if (calls > 1000) tail.leave();
        await Promise.resolve();
        yield* [];
      },
    });
    await follow(closed);
    await letOthers();
    expect(calls).toBe(1);
  });

  it('get everything once although the log fails in between', async () => {
    let fails = true;
    const failing = behaving({
      subscribe: async function* (options) {
        for await (const batch of store.subscribe(options)) {
          yield batch;
          if (fails && batch.events.length > 0) break;
        }
        fails = false;
        throw new Error('the log is away');
      },
    });
    await follow(failing);
    await write(1);
    await eventually(() => {
      expect(fails).toBe(false);
    });
    await write(1);
    const kept = await eventually(() => {
      const events = tail.after('')?.events ?? [];
      expect(events.length).toBeGreaterThan(1);
      return events;
    });
    expect(kept.map(({ event }) => event.position)).toEqual(positionsTo(2));
  });

  it('may come again when the log was away as they came', async () => {
    let isAway = true;
    const away = behaving({
      head: () => (isAway ? Promise.reject(new Error('the log is away')) : store.head()),
    });
    const own = new EventTail(away, silentLog);
    await expect(own.join()).rejects.toThrow('the log is away');
    isAway = false;
    await own.join();
    own.leave();
  });

  it('go on when another one leaves', async () => {
    await tail.join();
    tail.leave();
    await write(1);
    await eventually(() => {
      expect(tail.after('')?.events).toHaveLength(1);
    });
  });

  it('get nothing that they have from a tail that is not as far as they are', async () => {
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const late = behaving({
      subscribe: async function* (options) {
        await begun;
        yield* store.subscribe(options);
      },
    });
    await follow(late);
    await write(3);
    const text = reader({ after: await store.head() });
    await text.next();
    const next = text.next();
    await letOthers();
    await write(1);
    begin();
    expect(idsIn(String((await next).value))).toEqual(positionsTo(4).slice(3));
  });

  it('follow the tail as soon as they have caught up', async () => {
    await write(3);
    await follow(store);
    const live: number[] = [];
    const text = reader({
      mayGoOn: (events) => {
        live.push(events.length);
        return Promise.resolve(true);
      },
    });
    await text.next();
    expect(idsIn(String((await text.next()).value))).toEqual(positionsTo(3));
    const next = text.next();
    await letOthers();
    await write(1);
    expect(idsIn(String((await next).value))).toEqual(positionsTo(4).slice(3));
    void text.next();
    await eventually(() => {
      expect(live).toContain(1);
    });
  });

  it('hear where they begin, so that who is cut off before anything came misses nothing', async () => {
    await write(1);
    const after = await store.head();
    const cut = reader({ after });
    const began = String((await cut.next()).value);
    await cut.return(undefined);
    await write(1);
    const again = reader({ after: /^id: (\S+)$/m.exec(began)?.[1] ?? (await store.head()) });
    await again.next();
    expect(idsIn(String((await again.next()).value))).toEqual(positionsTo(2).slice(1));
    expect(await reader().next()).toEqual({ done: false, value: 'retry: 1000\n\n' });
  });

  it('hear how far they are though nothing is for them, and begin there the next time', async () => {
    const text = reader({ types: ['NothingEver'] });
    await text.next();
    await write(10);
    expect((await text.next()).value).toBe('id: 00000000000000000010\n\n');
  });

  it('go on while the database can not say whether they are signed in, and end once it says that they are not', async () => {
    let answer = (): Promise<null> => Promise.reject(Object.assign(new Error('refused'), AWAY));
    let looks = 0;
    const sessions = {
      principalOf: () => {
        looks += 1;
        return answer();
      },
    } as unknown as Sessions;
    const streams = new EventStreams(store, sessions, silentLog);
    const closed: string[] = [];
    streams.onClosed((why) => closed.push(why));
    const reading = { after: '', wants: () => true };
    const stream = await streams.open({ userId: 'u', token: 't', correlationId: 'c' }, reading);
    let text = '';
    stream.on('data', (piece: Buffer | string) => (text += String(piece)));
    // What a user does is when it is looked whether the user is still signed in.
    for (const number of [1, 2, 3]) {
      await store.append('user-u', 'any', [anEvent('Noted')]);
      await eventually(() => {
        expect(idsIn(text)).toEqual(positionsTo(number));
        expect(looks).toBe(number);
      });
    }
    answer = () => Promise.resolve(null);
    await store.append('user-u', 'any', [anEvent('Noted')]);
    await eventually(() => {
      expect(closed).toEqual(['signed-out']);
    });
    await streams.onModuleDestroy();
  });

  it('end when they may not go on', async () => {
    const text = reader({ mayGoOn: (events) => Promise.resolve(events.length === 0) });
    await text.next();
    await write(1);
    const rest: string[] = [];
    for await (const piece of text) {
      rest.push(piece);
      if (rest.length > 2) break;
      await write(1);
    }
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
