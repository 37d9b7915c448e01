import { expect } from '@jest/globals';

import { type EventStore, WrongExpectedRevision } from '#platform/event-store/event-store.port';

import { all, anEvent } from '../events.js';
import { seededRandom } from '../seeded-random.js';
import { type Check, check } from './check.js';

const WRITERS = 24;
const READERS = 4;
const SHARED_STREAMS = 6;
const APPENDS_EACH = 60;

/** Appends to streams of its own and to streams that others write to as well; answers the ids that were stored. */
async function writer(store: EventStore, number: number, random: () => number): Promise<string[]> {
  const stored: string[] = [];
  for (let round = 0; round < APPENDS_EACH; round += 1) {
    const events = Array.from({ length: 1 + Math.floor(random() * 3) }, () => anEvent('Written', { number, round }));
    const shared = random() < 0.5;
    const stream = shared ? `shared-${Math.floor(random() * SHARED_STREAMS)}` : `own-${number}-${round}`;
    await appendAnyhow(store, stream, events);
    stored.push(...events.map((event) => event.id));
  }
  return stored;
}

async function appendAnyhow(store: EventStore, stream: string, events: ReturnType<typeof anEvent>[]): Promise<void> {
  for (;;) {
    const [last] = await all(store.readStream(stream, { direction: 'backward', limit: 1 }));
    try {
      await store.append(stream, last?.revision ?? 'no-stream', events);
      return;
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
    }
  }
}

/** Follows the log, is killed at random moments and resumes after the last batch it had finished. */
async function reader(store: EventStore, random: () => number, isDone: (seen: number) => boolean): Promise<string[]> {
  const seen: string[] = [];
  let checkpoint = '';
  let fruitless = 0;
  while (!isDone(seen.length)) {
    const life = new AbortController();
    const before = seen.length;
    // Longer after nothing came: on a busy machine a subscription may take longer to begin than a short life lasts.
    const limit = setTimeout(
      () => {
        life.abort();
      },
      random() * 40 * 2 ** Math.min(fruitless, 5),
    );
    for await (const batch of store.subscribe({ after: checkpoint, signal: life.signal, maxBatch: 50 })) {
      if (random() < 0.05) break;
      seen.push(...batch.events.map((event) => event.id));
      checkpoint = batch.upTo;
      if (isDone(seen.length)) break;
    }
    clearTimeout(limit);
    life.abort();
    fruitless = seen.length > before ? 0 : fruitless + 1;
  }
  return seen;
}

/** What holds on every store however many write at once. */
export function manyWriters(withinSeconds: number): Check {
  return check(
    'loses and doubles nothing for readers that are killed and resume, and shows all of them one order',
    async (store) => {
      const random = seededRandom(4711);
      let total = Infinity;
      let over = false;
      const isDone = (seen: number) => over || seen >= total;
      const readers = Array.from({ length: READERS }, () => reader(store, random, isDone));
      try {
        const writers = Array.from({ length: WRITERS }, (_, index) => writer(store, index, random));
        const written = (await Promise.all(writers)).flat();
        total = written.length;
        const log = (await all(store.readAll())).map((event) => event.id);
        expect([...log].sort()).toEqual([...written].sort());
        const seen = await inTime(Promise.all(readers), withinSeconds);
        for (const ids of seen) expect(ids).toEqual(log);
        for (const stream of Array.from({ length: SHARED_STREAMS }, (_, index) => `shared-${index}`)) {
          const revisions = (await all(store.readStream(stream))).map((event) => event.revision);
          expect(revisions).toEqual(revisions.map((_, index) => BigInt(index)));
        }
      } finally {
        over = true;
        await Promise.allSettled(readers);
      }
    },
  );
}

async function inTime<Result>(work: Promise<Result>, seconds: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error('a reader did not get everything in time'));
    }, seconds * 1000);
  });
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer);
  });
}
