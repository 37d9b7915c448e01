import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';

import type { StoredEvent } from '#domain/kernel/event';
import { Database } from '#platform/database/database';
import { EventIdReused } from '#platform/event-store/event-store.port';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';

import { freshDatabase } from '../kit/database.js';
import { all, anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

describe('the log in PostgreSQL', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: PostgresEventStore;

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new PostgresEventStore(fresh.database, silentLog);
    await store.start();
  });

  afterEach(async () => {
    await store.close();
    await fresh.drop();
  });

  const cutAllConnections = (own: Database) =>
    own.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    );

  const connectionsOfLane = (own: Database) =>
    own.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and application_name = 'oma lane'`,
    );

  it.each([`update es.event set type = 'Forged'`, `delete from es.event`, `truncate es.event`])(
    'can only grow: "%s" is refused',
    async (statement) => {
      await store.append('a-1', 'no-stream', [anEvent()]);
      await expect(fresh.database.query(statement)).rejects.toThrow('append-only');
      expect(await all(store.readAll())).toHaveLength(1);
    },
  );

  it.each([{}, { types: [`It's`, 'a,b"{}'] }, { streamPrefixes: ['a-', 'c', `b' or \\'`] }])(
    'gives the same events to those who want them unparsed: %j',
    async (selection) => {
      const data = { note: 'a "quoted" \\ ü\t€', deep: [{ number: 1.5 }, null, false] };
      await store.append('a-1', 'no-stream', [anEvent(`It's`, data), anEvent('Happened', {})]);
      await store.append('b-1', 'no-stream', [anEvent('a,b"{}', data)]);
      await store.append('c-ü', 'no-stream', [anEvent(`It's`, data)]);
      // So few are not read by COPY.
      const expected = await all(store.readAll({ ...selection, limit: 32 }));
      const over = new AbortController();
      const found: StoredEvent[] = [];
      for await (const { events, live } of store.subscribe({
        ...{ after: '', signal: over.signal, unparsed: true, maxBatch: 2 },
        ...selection,
      })) {
        if (live) over.abort();
        found.push(...events);
      }
      expect(
        found.map(({ id, type, stream, revision, position, recordedAt, metadata, data }) => {
          return { id, type, stream, revision, position, recordedAt, metadata, data };
        }),
      ).toEqual(expected);
      expect(found.map(({ unparsed }) => JSON.parse(Buffer.from(unparsed?.utf8 ?? []).toString()) as object)).toEqual(
        expected.map((event) => event.data),
      );
    },
  );

  it.each([true, false])(
    'hands large events out in pages that fit into memory, and one that is larger than a page by itself, unparsed %s',
    async (unparsed) => {
      const long = 'x'.repeat(1_000_000);
      // A few characters each where they are written, some hundred where they are read.
      const numbers = Array.from({ length: 100_000 }, () => 1e308);
      const large = Array.from({ length: 20 }, (_, number) => anEvent('Happened', { number, long }));
      const few = Array.from({ length: 32 }, () => anEvent('Happened', {}));
      const written = [...large, anEvent('Happened', { numbers }), ...few];
      for (const [number, event] of written.entries()) await store.append(`a-${number}`, 'no-stream', [event]);
      const over = new AbortController();
      const pages: (readonly StoredEvent[])[] = [];
      for await (const { events, live } of store.subscribe({ after: '', signal: over.signal, unparsed })) {
        if (live) over.abort();
        pages.push(events);
      }
      expect(pages.flat().map(({ id }) => id)).toEqual(written.map(({ id }) => id));
      expect(pages.map(({ length }) => length)).toEqual([16, 4, 1, 32]);
      expect(pages[2]?.[0]?.data).toEqual({ numbers });
      const ids = written.map(({ id }) => id);
      expect((await all(store.readAll())).map(({ id }) => id)).toEqual(ids);
      expect((await all(store.readAll({ direction: 'backward' }))).map(({ id }) => id)).toEqual(ids.toReversed());
    },
  );

  it('has positions without gaps, in the order of commits, with several processes writing', async () => {
    const others = await Promise.all(
      [1, 2, 3].map(async () => {
        const database = new Database(fresh.url);
        const other = new PostgresEventStore(database, silentLog);
        await other.start();
        return { database, other };
      }),
    );
    await Promise.all(
      others.flatMap(({ other }, process) =>
        Array.from({ length: 40 }, (_, index) => other.append(`p-${process}-${index}`, 'no-stream', [anEvent()])),
      ),
    );
    const numbers = (await all(store.readAll())).map((event) => Number(event.position));
    expect(numbers).toEqual(Array.from({ length: 120 }, (_, index) => index + 1));
    for (const { database, other } of others) {
      await other.close();
      await database.close();
    }
  });

  it('goes on after all connections were cut, with readers and writers under way, and loses nothing', async () => {
    const life = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const batch of store.subscribe({ after: '', signal: life.signal })) {
        seen.push(...batch.events.map((event) => event.id));
        if (seen.length === 100) return;
      }
    })();
    const axe = new Database(fresh.url);
    const written: string[] = [];
    for (let index = 0; index < 100; index += 1) {
      const event = anEvent();
      const appending = store.append(`a-${index}`, 'no-stream', [event]);
      if (index % 25 === 10) await cutAllConnections(axe);
      await appending;
      written.push(event.id);
    }
    await reading;
    expect(seen).toEqual(written);
    life.abort();
    await axe.close();
  }, 60_000);

  it('lets one bad append of many fail alone', async () => {
    const [one] = [anEvent()];
    const results = await Promise.allSettled([
      store.append('a-0', 'no-stream', [anEvent()]),
      store.append('a-1', 'no-stream', [one]),
      store.append('a-2', 'no-stream', [one]),
      store.append('a-3', 5n, [anEvent()]),
      store.append('a-4', 'no-stream', [anEvent()]),
    ]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(await all(store.readAll())).toHaveLength(3);
  });

  it('answers each of the appends that arrive together by itself, and leaves no hole where one was refused', async () => {
    const [first, again] = [anEvent(), anEvent()];
    await store.append('held-1', 'no-stream', [first]);
    await store.append('held-2', 'no-stream', [again]);
    const outcomes = await Promise.allSettled([
      store.append('fresh-1', 'no-stream', [anEvent(), anEvent()]),
      store.append('held-1', 'no-stream', [anEvent()]),
      store.append('held-2', 'no-stream', [again]),
      store.append('fresh-2', 5n, [anEvent()]),
      store.append('fresh-3', 'no-stream', [anEvent(first.type, {}, first.id)]),
      store.append('fresh-4', 'any', [anEvent()]),
    ]);
    expect(
      outcomes.map((one) => (one.status === 'fulfilled' ? one.value.duplicate : (one.reason as Error).name)),
    ).toEqual([false, 'WrongExpectedRevision', true, 'WrongExpectedRevision', 'EventIdReused', false]);
    const log = await all(store.readAll());
    expect(log.map(({ position }) => Number(position))).toEqual([1, 2, 3, 4, 5]);
    expect(await store.head()).toBe(log.at(-1)?.position);
  });

  it('lets one of two processes win that append at the same revision at the same time, and leaves no hole', async () => {
    await store.append('a-1', 'no-stream', [anEvent()]);
    const database = new Database(fresh.url);
    const other = new PostgresEventStore(database, silentLog);
    await other.start();
    const hand = new pg.Client({ connectionString: fresh.url });
    await hand.connect();
    try {
      await hand.query('begin');
      await hand.query('select from es.head for update');
      // Both have looked at the stream, and found that nothing stands in the way, before either comes to its turn.
      const appending = Promise.allSettled([store, other].map((one) => one.append('a-1', 0n, [anEvent()])));
      await eventually(async () => {
        // On another connection: a transaction goes on seeing what it saw there first.
        const waiting = await fresh.database.query(
          `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        expect(waiting).toHaveLength(2);
      });
      await hand.query('commit');
      const outcomes = (await appending).map((one) =>
        one.status === 'fulfilled' ? 'stored' : (one.reason as Error).name,
      );
      expect(outcomes.toSorted()).toEqual(['WrongExpectedRevision', 'stored']);
      await store.append('a-2', 'no-stream', [anEvent()]);
      const log = await all(store.readAll());
      expect(log.map(({ position }) => Number(position))).toEqual([1, 2, 3]);
    } finally {
      await hand.end();
      await other.close();
      await database.close();
    }
  });

  it('keeps its connection to the database when an append is refused, or was stored before', async () => {
    const event = anEvent();
    await store.append('a-1', 'no-stream', [event]);
    const before = await connectionsOfLane(fresh.database);
    await expect(store.append('a-1', 'no-stream', [anEvent()])).rejects.toThrow('is at revision 0');
    await expect(store.append('a-1', 3n, [anEvent()])).rejects.toThrow('is at revision 0');
    // This one the database itself refuses, with an error.
    await expect(store.append('a-2', 'no-stream', [event])).rejects.toThrow(EventIdReused);
    expect(await store.append('a-1', 'no-stream', [event])).toMatchObject({ revision: 0n, duplicate: true });
    expect(before).toHaveLength(1);
    expect(await connectionsOfLane(fresh.database)).toEqual(before);
  });

  it('appends while everybody else keeps the database busy', async () => {
    const { pool } = fresh.database;
    const others = await Promise.all(Array.from({ length: pool.options.max }, () => pool.connect()));
    try {
      expect(await store.append('a-1', 'no-stream', [anEvent()])).toMatchObject({ revision: 0n });
    } finally {
      for (const other of others) other.release();
    }
  });

  it('looks a stream up by its index also where nobody has told the planner how large the log is', async () => {
    await fresh.database.query('alter table es.event set (autovacuum_enabled = off)');
    const streams = Array.from({ length: 8 }, (_, index) => `a-${index}`);
    await Promise.all(streams.map((stream) => store.append(stream, 'no-stream', [anEvent()])));
    for (let revision = 0n; revision < 40n; revision += 1n) {
      await Promise.all(streams.map((stream) => store.append(stream, revision, [anEvent()])));
    }
    await store.close();
    await eventually(async () => {
      const [read] = await fresh.database.query<{ inserted: string; whole: string }>(
        `select n_tup_ins inserted, seq_tup_read whole from pg_stat_user_tables where relid = 'es.event'::regclass`,
      );
      expect(read).toEqual({ inserted: '328', whole: '0' });
    });
  });

  it('has no connection of its own any more once it is closed, and takes nothing then', async () => {
    const elsewhere = new Database(fresh.url);
    const other = new PostgresEventStore(elsewhere, silentLog);
    await other.append('a-1', 'no-stream', [anEvent()]);
    await other.close();
    await elsewhere.close();
    await eventually(async () => {
      expect(await connectionsOfLane(fresh.database)).toEqual([]);
    });
    await expect(other.append('a-2', 'no-stream', [anEvent()])).rejects.toThrow('was closed');
  });

  it('tells those who listen after the last of many appends, however soon it came after another', async () => {
    const heard: number[] = [];
    const listener = new pg.Client({ connectionString: fresh.url });
    await listener.connect();
    await listener.query('listen es');
    listener.on('notification', () => heard.push(performance.now()));
    try {
      for (let number = 0; number < 20; number += 1) await store.append(`a-${number}`, 'no-stream', [anEvent()]);
      const last = performance.now();
      await store.append('a-last', 'no-stream', [anEvent()]);
      await eventually(() => {
        expect(heard.at(-1)).toBeGreaterThan(last);
      });
    } finally {
      await listener.end();
    }
  });

  it('looks once for all its readers after an append of its own, and no more once they have seen the end', async () => {
    const asked = jest.spyOn(fresh.database.pool, 'query');
    const life = new AbortController();
    const seen = Array.from({ length: 5 }, () => 0);
    const reading = seen.map(async (_, reader) => {
      for await (const { events } of store.subscribe({ after: '', signal: life.signal })) {
        // As many turns as a reader takes that writes rows.
        for (let turn = 0; turn < 10 * reader; turn += 1) await fresh.database.query('select');
        seen[reader] = (seen[reader] ?? 0) + events.length;
      }
    });
    const seconds = performance.now();
    for (let number = 1; number <= 20; number += 1) {
      await store.append(`a-${number}`, 'no-stream', [anEvent()]);
      await eventually(() => {
        expect(seen).toEqual([number, number, number, number, number]);
      });
    }
    const polls = Math.ceil((performance.now() - seconds) / 1000);
    const looks = asked.mock.calls.filter(([query]) => (query as { name?: string }).name === 'es newest');
    life.abort();
    await Promise.all(reading);
    // Those who are busy while the others look, look by themselves later.
    expect(looks.length).toBeLessThanOrEqual(20 + 5 * (polls + 2));
  });

  it('does not look once more for what it told others itself', async () => {
    const elsewhere = new pg.Client({ connectionString: fresh.url });
    await elsewhere.connect();
    await elsewhere.query('listen es');
    let told = 0;
    elsewhere.on('notification', () => (told += 1));
    const asked = jest.spyOn(fresh.database.pool, 'query');
    const life = new AbortController();
    let seen = 0;
    const reading = (async () => {
      for await (const { events } of store.subscribe({ after: '', signal: life.signal })) seen += events.length;
    })();
    const began = performance.now();
    for (let round = 1; round <= 20; round += 1) {
      // Others are told with the first, and of the second by itself a little later.
      await store.append(`a-${round}`, 'no-stream', [anEvent()]);
      await store.append(`b-${round}`, 'no-stream', [anEvent()]);
      await eventually(() => {
        expect(seen).toBe(2 * round);
        expect(told).toBeGreaterThanOrEqual(2 * round);
      });
    }
    const polls = Math.ceil((performance.now() - began) / 1000);
    const looks = asked.mock.calls.filter(([query]) => (query as { name?: string }).name === 'es newest');
    life.abort();
    await Promise.all([reading, elsewhere.end()]);
    expect(looks.length).toBeLessThanOrEqual(2 * 20 + polls + 2);
  });

  it('hears at once of what another process appends', async () => {
    const elsewhere = new Database(fresh.url);
    const other = new PostgresEventStore(elsewhere, silentLog);
    const life = new AbortController();
    let seen = 0;
    const reading = (async () => {
      for await (const { events } of store.subscribe({ after: '', signal: life.signal })) seen += events.length;
    })();
    const began = performance.now();
    for (let number = 1; number <= 8; number += 1) {
      await other.append(`a-${number}`, 'no-stream', [anEvent()]);
      await eventually(() => {
        expect(seen).toBe(number);
      });
    }
    const took = performance.now() - began;
    life.abort();
    await Promise.all([reading, other.close()]);
    await elsewhere.close();
    // Who only looks every second finds each of them a second after the one before.
    expect(took).toBeLessThan(4000);
  });

  it('finds by itself, a second later, what nobody told it of', async () => {
    const life = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { events } of store.subscribe({ after: '', signal: life.signal })) {
        seen.push(...events.map(({ stream }) => stream));
      }
    })();
    // The way that appends of several streams go, without a word to those who listen.
    const append = (stream: string) =>
      fresh.database.query(
        `select es.append_new('{}', '{}', array[$1], array[0::bigint], array[gen_random_uuid()], array['Happened'],
           array['{}'::jsonb], array[$2::jsonb], false)`,
        [stream, JSON.stringify(anEvent().metadata)],
      );
    for (const stream of ['a-1', 'a-2']) {
      await append(stream);
      await eventually(() => {
        expect(seen.at(-1)).toBe(stream);
      }, 3);
    }
    life.abort();
    await reading;
  });

  it('stores what waits for one stream in the order in which it came, whatever fits into a call', async () => {
    const sized = (name: string, bytes: number) => anEvent(name, { text: 'x'.repeat(bytes) });
    const half = 600_000;
    await Promise.all([
      store.append('a-1', 'any', [anEvent()]),
      store.append('a-2', 'any', [sized('Large', half)]),
      store.append('a-3', 'any', [sized('First', half)]),
      store.append('a-3', 'any', [sized('Second', 1)]),
    ]);
    expect((await all(store.readStream('a-3'))).map(({ type }) => type)).toEqual(['First', 'Second']);
  });

  it('refuses a database in which a statement would not see the newest head', async () => {
    const name = new URL(fresh.url).pathname.slice(1);
    await fresh.database.query(`alter database ${name} set default_transaction_isolation = 'repeatable read'`);
    const database = new Database(fresh.url);
    const other = new PostgresEventStore(database, silentLog);
    await expect(other.start()).rejects.toThrow('read committed');
    await other.close();
    await database.close();
  });
});
