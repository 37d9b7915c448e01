import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { StoredEvent } from '#domain/kernel/event';
import type { Sql } from '#platform/database/database';
import type { EventStore } from '#platform/event-store/event-store.port';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { Build } from '#platform/projections/build';
import { BusyThread, type Bystanders, bystandersOf, nobodyWaits } from '#platform/projections/bystanders';
import { ProjectionRunner } from '#platform/projections/projection-runner';
import { requestRebuild } from '#platform/projections/requests';
import { type AnyProjection, createIndexes } from '#platform/projections/tables';

import { listing } from '../kit/counting.js';
import { freshDatabase } from '../kit/database.js';
import { anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

const PAGES = 8;
const PAGE = 10;
const READING_MS = 30;

describe('a build beside others', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: PostgresEventStore;
  const projection = listing;

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new PostgresEventStore(fresh.database, silentLog);
    await store.start();
    for (let at = 0; at < PAGES; at += 1) {
      await store.append(
        `c-${at}`,
        'no-stream',
        Array.from({ length: PAGE }, (_, number) => anEvent('Added', { name: `n${number}`, by: 1 })),
      );
    }
    const runner = new ProjectionRunner(fresh.database, store, [projection], silentLog);
    await runner.start();
    await runner.caughtUp();
    await runner.stop();
  });

  afterEach(async () => {
    await store.close();
    await fresh.drop();
  });

  /** Of each page but the first, when it was asked for: was the one before it begun, or written, and how long ago had that been read? */
  const built = async (bystanders: Bystanders) => {
    const asked: { readonly begun: boolean; readonly written: boolean; readonly afterMs: number }[] = [];
    let [handed, folded] = [0, 0];
    const keysOf = (event: StoredEvent) => {
      folded += 1;
      return projection.keysOf(event);
    };
    const subscribe: EventStore['subscribe'] = async function* (options) {
      for await (const page of store.subscribe(options)) {
        await pause(READING_MS);
        const read = performance.now();
        yield page;
        const afterMs = performance.now() - read;
        const begun = folded > handed;
        handed += page.events.length;
        const [row] = await fresh.database.query<{ position: string }>(
          'select position from projection where not live',
        );
        asked.push({ begun, written: row?.position === page.upTo, afterMs });
      }
    };
    const slow = Object.assign(Object.create(store) as EventStore, { subscribe });
    await requestRebuild(fresh.database, projection);
    const parts = { database: fresh.database, store: slow, logger: silentLog, bystanders };
    expect(await new Build(parts, { ...projection, keysOf }, PAGE).run(new AbortController().signal)).toBe('swapped');
    expect(await fresh.database.query('select from listing')).toHaveLength(PAGES * PAGE);
    return asked.slice(0, PAGES - 1);
  };

  it('reads the next page while one is worked on', async () => {
    const asked = await built(nobodyWaits);
    expect(asked.filter(({ begun }) => begun)).toEqual([]);
  });

  it('does one thing after the other where somebody waits for answers, and rests as long as it worked', async () => {
    const asked = await built({ wait: () => true });
    expect(asked).toHaveLength(PAGES - 1);
    expect(asked.filter(({ written, afterMs }) => !written || afterMs < READING_MS - 1)).toEqual([]);
  });

  it('knows that somebody waits while the thread that answers has much to do', async () => {
    const busy = new BusyThread();
    const bystanders = bystandersOf(busy.memory, 2);
    const answering = setInterval(() => {
      const until = performance.now() + 20;
      while (performance.now() < until);
    }, 30);
    try {
      await eventually(() => {
        expect(bystanders.wait()).toBe(true);
      });
      expect(bystandersOf(busy.memory, 8).wait()).toBe(false);
      clearInterval(answering);
      await eventually(() => {
        expect(bystanders.wait()).toBe(false);
      });
    } finally {
      clearInterval(answering);
      busy.stop();
    }
  });
});

/** Connections whose statements end when the test says so. */
function connectionByHand() {
  const made: string[] = [];
  const ends: (() => void)[] = [];
  const query = (text: string) => {
    const index = /index .* on \w+ \("(\w+)"\)/.exec(text)?.[1];
    if (index === undefined) return Promise.resolve({ rows: [], rowCount: 1 });
    made.push(index);
    return new Promise((resolve) => {
      ends.push(() => {
        resolve({ rows: [], rowCount: 0 });
      });
    });
  };
  return { made, endOne: () => ends.shift()?.(), sql: { query } as unknown as Sql };
}

describe('the indexes of rows that are built', () => {
  const indexes = ['one', 'two', 'three', 'four'].map((name) => [name]);
  const indexed = { ...listing, table: { ...listing.table, indexes } } as unknown as AnyProjection;

  it('are made two at a time while nobody waits for answers, one at a time while somebody does, and so on', async () => {
    const [first, second] = [connectionByHand(), connectionByHand()];
    let isFree = false;
    const making = createIndexes(first.sql, indexed, 'rows', { sql: second.sql, isFree: () => isFree });
    await eventually(() => {
      expect(first.made).toEqual(['one']);
    });
    expect(second.made).toEqual([]);
    isFree = true;
    await eventually(() => {
      expect(second.made).toEqual(['two']);
    });
    isFree = false;
    second.endOne();
    first.endOne();
    await eventually(() => {
      expect(first.made).toEqual(['one', 'three']);
    });
    first.endOne();
    await eventually(() => {
      expect(first.made).toEqual(['one', 'three', 'four']);
    });
    expect(second.made).toEqual(['two']);
    first.endOne();
    await making;
  });

  it('are given up by both connections when one can not be made', async () => {
    const second = connectionByHand();
    const failing = {
      query: (text: string) =>
        text.includes('create index') ? Promise.reject(new Error('no room')) : Promise.resolve({ rowCount: 1 }),
    } as unknown as Sql;
    const helper = { sql: second.sql, isFree: () => false };
    await expect(createIndexes(failing, indexed, 'rows', helper)).rejects.toThrow('no room');
    expect(second.made).toEqual([]);
  });
});
