import { expect } from '@jest/globals';

import type { Batch, EventStore } from '#platform/event-store/event-store.port';

import { all, anEvent } from '../events.js';
import { type Check, check, several } from './check.js';

/** Batches until `enough`, then ends the subscription. */
async function follow(
  store: EventStore,
  options: { after: string; types?: string[]; maxBatch?: number; signal?: AbortSignal },
  enough: (batches: readonly Batch[]) => boolean,
  meanwhile: () => Promise<unknown> = () => Promise.resolve(),
): Promise<readonly Batch[]> {
  const batches: Batch[] = [];
  const life = new AbortController();
  const signal = options.signal ?? life.signal;
  const doing = meanwhile();
  try {
    for await (const batch of store.subscribe({ ...options, signal })) {
      batches.push(batch);
      if (enough(batches)) break;
    }
    await doing;
    return batches;
  } finally {
    life.abort();
  }
}
const isLive = (batches: readonly Batch[]) => batches.at(-1)?.live === true;
const counts = (batches: readonly Batch[]) => batches.reduce((sum, batch) => sum + batch.events.length, 0);
const idsOf = (batches: readonly Batch[]) => batches.flatMap(({ events }) => events.map(({ id }) => id));

/** What subscriptions promise on every store. */
export const subscribing: readonly Check[] = [
  check('starts at the beginning, in the middle or at the head', async (store) => {
    await store.append('a-1', 'no-stream', several(4));
    const positions = (await all(store.readAll())).map((event) => event.position);
    expect(counts(await follow(store, { after: '' }, isLive))).toBe(4);
    expect(counts(await follow(store, { after: positions[1] ?? '' }, isLive))).toBe(2);
    expect(counts(await follow(store, { after: positions[3] ?? '' }, isLive))).toBe(0);
  }),

  check('says that it is live also in an empty log', async (store) => {
    const [first] = await follow(store, { after: '' }, isLive);
    expect(first).toMatchObject({ events: [], live: true });
  }),

  check('comes in order, in batches of at most the wanted size, each up to where it looked', async (store) => {
    await store.append('a-1', 'no-stream', several(10));
    const batches = await follow(store, { after: '', maxBatch: 3 }, isLive);
    expect(idsOf(batches)).toEqual((await all(store.readAll())).map((event) => event.id));
    for (const { events } of batches) expect(events.length).toBeLessThanOrEqual(3);
    for (const { events, upTo } of batches) expect(upTo >= (events.at(-1)?.position ?? '')).toBe(true);
    const upTos = batches.map(({ upTo }) => upTo);
    expect(upTos).toEqual([...new Set(upTos)].sort());
  }),

  check('moves on over ranges of which nothing was selected', async (store) => {
    await store.append('a-1', 'no-stream', several(10));
    const head = await store.head();
    const batches = await follow(store, { after: '', types: ['Nothing'] }, isLive);
    expect(counts(batches)).toBe(0);
    expect((batches.at(-1)?.upTo ?? '') >= head).toBe(true);
    expect(await all(store.readAll({ after: batches.at(-1)?.upTo ?? '' }))).toEqual([]);
  }),

  check('moves on over what is not selected also when it is live', async (store) => {
    let appended = '';
    const batches = await follow(
      store,
      { after: '', types: ['Nothing'], signal: AbortSignal.timeout(5000) },
      (seen) => appended !== '' && (seen.at(-1)?.upTo ?? '') >= appended,
      async () => {
        await store.append('a-1', 'no-stream', several(3));
        appended = (await store.append('a-1', 2n, several(1))).position;
      },
    );
    expect((batches.at(-1)?.upTo ?? '') >= appended).toBe(true);
    expect(counts(batches)).toBe(0);
  }),

  check('is told of what comes later, without having to wait long', async (store) => {
    let began = 0;
    const batches = await follow(
      store,
      { after: '' },
      (seen) => counts(seen) === 3,
      async () => {
        began = performance.now();
        await store.append('a-1', 'no-stream', several(2));
        await store.append('a-1', 1n, several(1));
      },
    );
    expect(counts(batches)).toBe(3);
    expect(performance.now() - began).toBeLessThan(900);
  }),

  check('ends promptly when its signal is aborted, asleep or not yet begun', async (store) => {
    const life = new AbortController();
    const running = follow(store, { after: '', signal: life.signal }, () => false);
    await store.append('a-1', 'no-stream', several(1));
    life.abort();
    await running;
    expect(await follow(store, { after: '', signal: life.signal }, () => false)).toEqual([]);
  }),

  check('resumes after its last batch without losing or doubling', async (store) => {
    await store.append('a-1', 'no-stream', several(10));
    const first = await follow(store, { after: '', maxBatch: 4 }, (batches) => counts(batches) > 0);
    const rest = await follow(store, { after: first.at(-1)?.upTo ?? '', maxBatch: 4 }, isLive);
    expect(idsOf([...first, ...rest])).toEqual((await all(store.readAll())).map((event) => event.id));
  }),

  check('gives every subscriber everything', async (store) => {
    const both = Promise.all([1, 2].map(() => follow(store, { after: '' }, (seen) => counts(seen) === 5)));
    await store.append('a-1', 'no-stream', several(5));
    expect((await both).map(counts)).toEqual([5, 5]);
  }),

  check('keeps up with appends of many events, and loses and doubles none', async (store) => {
    const rounds = 4;
    const each = 150;
    const batches = await follow(
      store,
      { after: '' },
      (seen) => counts(seen) >= rounds * each,
      async () => {
        for (let round = 0; round < rounds; round += 1) await store.append(`b-${round}`, 'no-stream', several(each));
      },
    );
    expect(idsOf(batches)).toEqual((await all(store.readAll())).map((event) => event.id));
  }),

  check('keeps nothing of the turns a subscriber has slept through', async (store) => {
    const life = new AbortController();
    const turns = store.subscribe({ after: '', signal: life.signal })[Symbol.asyncIterator]();
    await turns.next();
    for (let index = 0; index < 200; index += 1) {
      await store.append('a-1', 'any', [anEvent()]);
      await turns.next();
    }
    const dependants = Object.getOwnPropertySymbols(life.signal)
      .filter((symbol) => symbol.description === 'kDependantSignals')
      .map((symbol) => (life.signal as unknown as Record<symbol, Set<unknown>>)[symbol]?.size ?? 0);
    life.abort();
    await turns.return?.();
    expect(Math.max(0, ...dependants)).toBeLessThan(50);
  }),
];
