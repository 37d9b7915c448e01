import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import type { StoredEvent } from '#domain/kernel/event';
import { type EventStore, EventStoreAway } from '#platform/event-store/event-store.port';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { newId } from '#platform/ids/ids';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { Build } from '#platform/projections/build';
import { BuildConnection, buildLock, checkLock } from '#platform/projections/build-connection';
import { Check } from '#platform/projections/check';
import { checkOf, requestCheck } from '#platform/projections/check-log';
import { BulkWriter } from '#platform/projections/bulk-writer';
import { GenerationRows } from '#platform/projections/generation-rows';
import { LogFallsShort } from '#platform/projections/pages';
import { ProjectionRunner } from '#platform/projections/projection-runner';
import { NewerProjection, register } from '#platform/projections/registration';
import { RegistryProjectionUpkeep } from '#platform/projections/registry.projection-upkeep';
import { cancelRebuild, requestRebuild } from '#platform/projections/requests';
import { registered } from '#platform/projections/registry';
import { Moved } from '#platform/projections/poison';
import { type AnyProjection, createTable } from '#platform/projections/tables';
import { effectsProjection } from '#platform/sagas/effects.projection';

import { Counting, listing } from '../kit/counting.js';
import { freshDatabase } from '../kit/database.js';
import { all, anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

/** The log, but for what is given here. */
function behaving(
  store: PostgresEventStore,
  otherwise: Partial<Pick<EventStore, 'head' | 'reaches' | 'readAll' | 'subscribe'>>,
): EventStore {
  return Object.assign(Object.create(store) as EventStore, otherwise);
}

describe('a rebuild', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: PostgresEventStore;
  let counting: Counting;
  let counter: AnyProjection;
  let runners: ProjectionRunner[];
  let reports: { readonly end: () => Promise<void> }[];

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new PostgresEventStore(fresh.database, silentLog);
    await store.start();
    counting = new Counting();
    counter = counting.version(1);
    runners = [];
    reports = [];
  });

  afterEach(async () => {
    for (const report of reports) await report.end();
    await Promise.all(runners.map((runner) => runner.stop()));
    await store.close();
    await fresh.drop();
  });

  const start = async (...projections: AnyProjection[]) => {
    const runner = new ProjectionRunner(fresh.database, store, projections, silentLog);
    runners.push(runner);
    await runner.start();
    return runner;
  };
  let stream = 0;
  const append = (...events: ReturnType<typeof anEvent>[]) => {
    stream += 1;
    return store.append(`c-${stream}`, 'no-stream', events);
  };
  const add = (name: string, by: number) => append(anEvent('Added', { name, by }));
  const addMany = async (count: number, names: number) => {
    for (let at = 0; at < count; at += 500) {
      const size = Math.min(500, count - at);
      await append(
        ...Array.from({ length: size }, (_, index) => anEvent('Added', { name: `n${(at + index) % names}`, by: 1 })),
      );
    }
  };
  const rows = (view = 'counter', order = 'name') => fresh.database.query(`select * from ${view} order by ${order}`);
  const statusOf = async (runner: ProjectionRunner, name = 'counter') =>
    (await runner.status()).find((one) => one.name === name);
  const build = (projection: AnyProjection, logger = silentLog, from: EventStore = store) =>
    new Build({ database: fresh.database, store: from, logger }, projection).run(new AbortController().signal);
  /** Cancels what is being built of it now. */
  const cancelled = async (projection: AnyProjection) => {
    const [building] = await registered(fresh.database.pool, `name = $1 and status = 'building'`, [projection.name]);
    return building !== undefined && cancelRebuild(fresh.database, projection, building);
  };
  /** Whoever of those that run takes it up; over when it is swapped or stopped. */
  const rebuilt = async (projection: AnyProjection) => {
    const generation = await requestRebuild(fresh.database, projection);
    await build(projection);
    return eventually(async () => {
      const [row] = await fresh.database.query<{ status: string }>(
        'select status from projection where name = $1 and generation = $2',
        [projection.name, generation],
      );
      if (row?.status === 'building') throw new Error('it is still being built');
      return row?.status;
    }, 20);
  };

  it('puts the same rows in the place of the live ones, whatever was done to those', async () => {
    const runner = await start(counter, listing);
    await addMany(1200, 7);
    await append(anEvent('Added', { name: 'gone', by: 1 }));
    await append(anEvent('Forgotten', { name: 'gone' }));
    await append(anEvent('Added', { name: 'odd', by: 3, note: 'a\tb\\c\nd\re\\N "quoted" ü' }));
    await append(anEvent('Added', { name: '', by: 3, note: '' }));
    await append(anEvent('Added', { name: '\\N', by: 3, note: '\\.' }));
    for (const note of ['\t', '\n', '\r', '\\']) await append(anEvent('Added', { name: 'alone', by: 1, note }));
    await runner.caughtUp();
    const before = [await rows(), await rows('listing', 'position')];
    await fresh.database.query('update rm_counter_v1 set sum = 0');
    await fresh.database.query('delete from rm_listing_v1');
    expect(await rebuilt(counter)).toBe('running');
    expect(await rebuilt(listing)).toBe('running');
    expect([await rows(), await rows('listing', 'position')]).toEqual(before);
  });

  it('has its indexes and its key when it goes live', async () => {
    const runner = await start(counter, listing);
    await runner.caughtUp();
    await rebuilt(counter);
    await rebuilt(listing);
    const indexes = await fresh.database.query<{ tablename: string; indexdef: string }>(
      `select tablename, regexp_replace(indexdef, '.*USING', '') as indexdef from pg_indexes
        where tablename in ('rm_counter_v1_g2', 'rm_listing_v1_g2') order by indexname`,
    );
    expect(indexes).toEqual([
      { tablename: 'rm_counter_v1_g2', indexdef: ' btree (sum)' },
      { tablename: 'rm_counter_v1_g2', indexdef: ' btree (name)' },
      { tablename: 'rm_listing_v1_g2', indexdef: ' btree ("position")' },
      { tablename: 'rm_listing_v1_g2', indexdef: ' btree (id)' },
    ]);
  });

  it('misses nothing where its reader takes itself for live before it has heard of everything', async () => {
    const runner = await start(counter, listing);
    await addMany(40, 20);
    await runner.caughtUp();
    const before = [await rows(), await rows('listing', 'position')];
    const late = behaving(store, {
      async *subscribe(options) {
        yield { events: [], upTo: options.after, live: true };
        yield* store.subscribe(options);
      },
    });
    for (const projection of [counter, listing]) {
      await requestRebuild(fresh.database, projection);
      expect(await build(projection, silentLog, late)).toBe('swapped');
    }
    expect([await rows(), await rows('listing', 'position')]).toEqual(before);
  });

  it('goes on when the log was away for a while', async () => {
    const runner = await start(counter);
    await addMany(40, 20);
    await runner.caughtUp();
    let isAway = true;
    const away = behaving(store, {
      head: () => {
        if (!isAway) return store.head();
        isAway = false;
        return Promise.reject(new EventStoreAway(new Error('nobody answers')));
      },
    });
    await requestRebuild(fresh.database, counter);
    expect(await build(counter, silentLog, away)).toBe('swapped');
  });

  it.each(['from the beginning', 'while it is built'])(
    'takes no place with a log that is empty %s, and waits',
    async (when) => {
      const runner = await start(counter);
      await addMany(40, 20);
      await runner.caughtUp();
      const before = await rows();
      const emptied = new InMemoryEventStore();
      const warned: unknown[] = [];
      const warn = ({ error }: { readonly error?: unknown }) => void warned.push(error);
      const logger = Object.assign(Object.create(silentLog) as typeof silentLog, { warn });
      let asked = 0;
      const log = () => (warned.length === 0 ? emptied : store);
      const replaced = behaving(store, {
        head: () => (when === 'while it is built' && (asked += 1) === 1 ? store : log()).head(),
        reaches: (position) => log().reaches(position),
        subscribe: (options) => log().subscribe(options),
      });
      await fresh.database.query(`update rm_counter_v1 set sum = 0 where name = 'n1'`);
      await requestRebuild(fresh.database, counter);
      const building = build(counter, logger, replaced);
      await eventually(() => {
        expect(warned).toEqual([expect.any(LogFallsShort)]);
      });
      expect(await building).toBe('swapped');
      expect(await rows()).toEqual(before);
    },
  );

  it('is known to the planner when it goes live, and looked after like any other table', async () => {
    const runner = await start(counter, listing);
    await addMany(40, 20);
    await runner.caughtUp();
    await rebuilt(counter);
    await rebuilt(listing);
    const tables = await fresh.database.query(
      `select relname, reloptions, (select count(*) > 0 from pg_stats where tablename = relname) as is_known
         from pg_class where relname in ('rm_counter_v1_g2', 'rm_listing_v1_g2') order by relname`,
    );
    expect(tables).toEqual([
      { relname: 'rm_counter_v1_g2', reloptions: null, is_known: true },
      { relname: 'rm_listing_v1_g2', reloptions: null, is_known: true },
    ]);
  });

  it('folds rows on that it wrote long before', async () => {
    const runner = await start(counter);
    await runner.stop();
    // More names than are remembered, each twice: written at once, as no writer could in the time of a test.
    await fresh.database.query(
      `insert into es.event
         select n, 'c-' || n, 0, gen_random_uuid(), 'Added', jsonb_build_object('name', 'n' || n % 25000, 'by', 1),
                '{"actor":{"kind":"system","id":"trial"},"correlationId":"c","causationId":"c","schemaVersion":1}', now()
           from generate_series(1, 50000) n`,
    );
    await fresh.database.query('update es.head set position = 50000');
    await requestRebuild(fresh.database, counter);
    expect(await build(counter)).toBe('swapped');
    expect(await fresh.database.query('select sum, count(*)::int as rows from counter group by sum')).toEqual([
      { sum: '2', rows: 25000 },
    ]);
  }, 60_000);

  it('is followed by every instance from the swap on', async () => {
    const [one, other] = [await start(counter), await start(counter)];
    await add('a', 1);
    await rebuilt(counter);
    await one.stop();
    const { position } = await add('a', 2);
    expect(await other.waitFor(['counter'], position, 5000)).toBe(true);
    expect(await rows()).toMatchObject([{ name: 'a', sum: '3' }]);
    expect(await statusOf(other)).toMatchObject({ version: 1, generation: 2, building: null });
  });

  it('shows readers no gap and no older state, while others write', async () => {
    const runner = await start(counter, listing);
    await addMany(3000, 50);
    await runner.caughtUp();
    const over = new AbortController();
    const writing = (async () => {
      while (!over.signal.aborted) await add('w', 1);
    })();
    const watching = watch(over.signal);
    for (let round = 0; round < 3; round += 1) {
      expect(await rebuilt(counter)).toBe('running');
      expect(await rebuilt(listing)).toBe('running');
    }
    over.abort();
    await writing;
    const { looks, faults } = await watching;
    expect(faults).toEqual([]);
    expect(looks).toBeGreaterThan(20);
    await runner.caughtUp();
    const [sum] = await fresh.database.query<{ sum: string }>('select sum(sum) from counter');
    expect(Number(sum?.sum)).toBe(Number(await store.head()));
    expect(await rows('listing', 'position')).toHaveLength(Number(await store.head()));
  }, 60_000);

  /** Looks at the views until the signal; a fault is a failed read, or a number that became smaller. */
  async function watch(signal: AbortSignal): Promise<{ looks: number; faults: string[] }> {
    const client = new pg.Client({ connectionString: fresh.url });
    await client.connect();
    const faults: string[] = [];
    let known = { names: 0, sum: 0, events: 0 };
    let looks = 0;
    while (!signal.aborted) {
      looks += 1;
      try {
        const { rows: found } = await client.query<{ names: number; sum: number; events: number }>(
          `select (select count(*)::int from counter) as names, (select coalesce(sum(sum), 0)::int from counter) as sum,
                  (select count(*)::int from listing) as events`,
        );
        const now = found[0]!;
        if (now.names < known.names || now.sum < known.sum || now.events < known.events) {
          faults.push(`${JSON.stringify(known)} became ${JSON.stringify(now)}`);
        }
        known = now;
      } catch (error) {
        faults.push(String(error));
      }
    }
    await client.end();
    return { looks, faults };
  }

  /** Somebody who reads a view, and doesn't come to an end before the test says so, or is over. */
  const longReport = async (view: string) => {
    const client = new pg.Client({ connectionString: fresh.url });
    await client.connect();
    let ended: Promise<void> | undefined;
    const report = { end: () => (ended ??= client.end()) };
    reports.push(report);
    await client.query('begin');
    await client.query(`select * from ${view}`);
    return report;
  };

  /** Waits until a swap waits for somebody. */
  const swapIsHeldUp = () =>
    eventually(async () => {
      const held = await fresh.database.query(
        `select from pg_stat_activity
          where datname = current_database() and application_name = 'oma rebuild' and wait_event_type = 'Lock'`,
      );
      expect(held).toHaveLength(1);
    });

  it('is not in a hurry where a long report reads the view: writers and other readers go on', async () => {
    const runner = await start(counter);
    await add('a', 1);
    await runner.caughtUp();
    const report = await longReport('counter');
    await requestRebuild(fresh.database, counter);
    const building = build(counter);
    await swapIsHeldUp();
    expect((await statusOf(runner))?.building?.events).toBe(1);
    const { position } = await add('a', 1);
    expect(await runner.waitFor(['counter'], position, 8000)).toBe(true);
    expect(await rows()).toMatchObject([{ sum: '2' }]);
    await report.end();
    await building;
    await eventually(async () => {
      expect(await statusOf(runner)).toMatchObject({ generation: 2, building: null });
    });
    expect(await rows()).toMatchObject([{ sum: '2' }]);
  });

  it('keeps nobody waiting for long while a report holds the view, tries ever more rarely, and takes its place after it', async () => {
    const idle = () => Promise.resolve();
    const runner = new ProjectionRunner(fresh.database, store, [counter], silentLog, { build: idle, check: idle });
    runners.push(runner);
    await runner.start();
    await add('a', 1);
    await runner.caughtUp();
    const report = await longReport('counter');
    await requestRebuild(fresh.database, counter);
    const tries: number[] = [];
    const info = (_: object, line: string) => {
      if (line.startsWith('readers are in the way')) tries.push(performance.now());
    };
    const logger = Object.assign(Object.create(silentLog) as typeof silentLog, { info });
    const building = build(counter, logger);
    let slowestMs = 0;
    while (tries.length < 4) {
      const began = performance.now();
      const { position } = await add('a', 1);
      expect(await runner.waitFor(['counter'], position, 8000)).toBe(true);
      await rows();
      slowestMs = Math.max(slowestMs, performance.now() - began);
    }
    await report.end();
    expect(await building).toBe('swapped');
    expect(slowestMs).toBeLessThan(1500);
    const [, , third = 0, fourth = 0] = tries;
    expect(fourth - third).toBeGreaterThan(1000);
    expect(await statusOf(runner)).toMatchObject({ generation: 2, building: null });
  });

  it('takes no place when it is cancelled while it waits for a report', async () => {
    const runner = await start(counter);
    await add('a', 1);
    await runner.caughtUp();
    await runner.stop();
    const report = await longReport('counter');
    await requestRebuild(fresh.database, counter);
    const building = build(counter);
    await swapIsHeldUp();
    expect(await cancelled(counter)).toBe(true);
    await report.end();
    expect(await building).toBe('none');
    expect(await fresh.database.query('select generation from projection where live')).toEqual([{ generation: 1 }]);
  });

  it('is refused while another one of the same projection is under way', async () => {
    await start();
    const runner = await start(counter);
    await runner.stop();
    expect(await requestRebuild(fresh.database, counter)).toBe(2);
    expect(await requestRebuild(fresh.database, counter)).toBeNull();
  });

  it('goes on where it was after it was broken off', async () => {
    const runner = await start(counter, listing);
    await addMany(1000, 9);
    await runner.caughtUp();
    await runner.stop();
    await requestRebuild(fresh.database, listing);
    const broken = new AbortController();
    const slow = {
      ...listing,
      evolve: ((row: never, event: StoredEvent, key: string) => {
        if (event.position.endsWith('600')) broken.abort();
        return listing.evolve(row, event, key);
      }) as never,
    };
    const parts = { database: fresh.database, store, logger: silentLog };
    expect(await new Build(parts, slow, 100).run(broken.signal)).toBe('interrupted');
    const [row] = await fresh.database.query<{ events: string }>('select events from projection where generation = 2');
    expect(Number(row?.events)).toBeGreaterThanOrEqual(600);
    expect(Number(row?.events)).toBeLessThan(1000);
    const again = await start(counter, listing);
    await eventually(async () => {
      expect(await statusOf(again, 'listing')).toMatchObject({ generation: 2, building: null });
    });
    expect(await rows('listing', 'position')).toHaveLength(1000);
  });

  it('writes no page twice when two take themselves for the one who builds', async () => {
    const runner = await start(counter);
    await addMany(10, 2);
    await runner.stop();
    await requestRebuild(fresh.database, counter);
    const [row] = await registered(fresh.database.pool, 'not live');
    if (row === undefined) throw new Error('there is nothing to build');
    const both = [await BuildConnection.beside(fresh.url), await BuildConnection.beside(fresh.url)];
    const events = await all(store.readAll());
    const head = await store.head();
    await createTable(fresh.database.pool, counter, 'rm_counter_v1_g2');
    const written = both.map(async (connection) => {
      const writer = new BulkWriter(counter, 'rm_counter_v1_g2', (page) => page, true);
      const own = new GenerationRows(connection, row, writer);
      await own.advance(events, head, await own.prepare(events));
    });
    const outcomes = await Promise.allSettled(written);
    for (const connection of both) await connection.close();
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: expect.any(Moved) as unknown,
    });
    expect(await rows('rm_counter_v1_g2')).toMatchObject([{ sum: '5' }, { sum: '5' }]);
  });

  it('folds a page once that could not be written at first', async () => {
    const runner = await start(counter);
    await addMany(10, 2);
    await runner.stop();
    // The first time that the checkpoint moves, when the rows were written already; a sequence isn't taken back.
    await fresh.database.query('create sequence tries');
    await fresh.database.query(
      `create function fail_once() returns trigger language plpgsql as $$
        begin
          if nextval('tries') = 1 then raise exception 'not this time'; end if;
          return new;
        end $$`,
    );
    await fresh.database.query(
      `create trigger fail_once before update on projection for each row
         when (new.generation = 2 and new.events > old.events) execute function fail_once()`,
    );
    await requestRebuild(fresh.database, counter);
    expect(await build(counter)).toBe('swapped');
    expect(await rows()).toMatchObject([{ sum: '5' }, { sum: '5' }]);
  });

  it('is built by one of two instances, and seen by both', async () => {
    const [one, other] = [await start(counter), await start(counter)];
    await addMany(2000, 11);
    await one.caughtUp();
    await requestRebuild(fresh.database, counter);
    await eventually(async () => {
      expect(await statusOf(one)).toMatchObject({ generation: 2, building: null });
      expect(await statusOf(other)).toMatchObject({ generation: 2, building: null });
    });
    const [events] = await fresh.database.query(`select events from projection where generation = 2`);
    expect(events).toEqual({ events: '2000' });
  });

  it('and a comparison are begun by nobody while another process has them, and then are', async () => {
    await (await start(counter)).stop();
    const { id } = await requestCheck(fresh.database, counter, newId());
    await requestRebuild(fresh.database, counter);
    const { signal } = new AbortController();
    const others = [
      await BuildConnection.open(fresh.url, buildLock({ name: 'counter', version: 1, generation: 2 }), signal),
      await BuildConnection.open(fresh.url, checkLock(id), signal),
    ];
    const begun: string[] = [];
    const note = (what: string) => () => Promise.resolve(begun.push(what));
    const workshop = { build: note('build'), check: note('check') };
    const runner = new ProjectionRunner(fresh.database, store, [counter], silentLog, workshop);
    runners.push(runner);
    // A cancelled generation that is gone tells that a turn came to its end.
    await fresh.database.query(
      `insert into projection (name, version, generation, position, status) values ('counter', 1, 3, '', 'cancelled')`,
    );
    await runner.start();
    await eventually(async () => {
      expect(await fresh.database.query('select from projection where generation = 3')).toEqual([]);
    });
    expect(begun).toEqual([]);
    for (const other of others) await other?.close();
    await eventually(() => {
      expect(begun).toEqual(expect.arrayContaining(['build', 'check']));
    });
  });

  it('waits for a place when two are under way, and takes that of one that ends', async () => {
    const { signal } = new AbortController();
    const [one, two] = [
      await BuildConnection.open(fresh.url, 'one', signal),
      await BuildConnection.open(fresh.url, 'two', signal),
    ];
    expect(await BuildConnection.open(fresh.url, 'one', signal)).toBeNull();
    let isThere = false;
    const third = BuildConnection.open(fresh.url, 'three', signal).then((connection) => {
      isThere = true;
      return connection;
    });
    const impatient = AbortSignal.timeout(400);
    expect(await BuildConnection.open(fresh.url, 'four', impatient)).toBeNull();
    expect(isThere).toBe(false);
    await one?.close();
    await (await third)?.close();
    await two?.close();
  });

  it('that stops at an event leaves the live rows alone, and can be tried again or cancelled', async () => {
    counting.cured = true;
    const runner = await start(counter);
    await add('a', 1);
    const poison = anEvent('Poison', { name: 'a' });
    await append(poison);
    await runner.caughtUp();
    counting.cured = false;
    expect(await rebuilt(counter)).toBe('stopped');
    expect(await statusOf(runner)).toMatchObject({
      status: 'running',
      generation: 1,
      building: { status: 'stopped', error: 'this can not be handled', stoppedEventId: poison.id, events: 1 },
    });
    counting.cured = true;
    expect(await runner.retry('counter')).toBe(true);
    await eventually(async () => {
      expect(await statusOf(runner)).toMatchObject({ generation: 2, building: null });
    });
  });

  it('that was cancelled leaves nothing behind', async () => {
    const runner = await start(counter);
    await addMany(500, 3);
    await runner.caughtUp();
    counting.cured = false;
    await append(anEvent('Poison', { name: 'n1' }));
    expect(await rebuilt(counter)).toBe('stopped');
    const build = (await statusOf(runner))?.building ?? { generation: 0, startedAt: new Date() };
    expect(await cancelRebuild(fresh.database, counter, { ...build, startedAt: new Date(0) })).toBe(false);
    expect(await cancelRebuild(fresh.database, counter, build)).toBe(true);
    await eventually(async () => {
      expect(await fresh.database.query(`select from projection where generation = 2`)).toEqual([]);
      expect(await fresh.database.query(`select to_regclass('rm_counter_v1_g2') as it`)).toEqual([{ it: null }]);
    });
    expect(await requestRebuild(fresh.database, counter)).toBe(build.generation);
    expect(await cancelRebuild(fresh.database, counter, build)).toBe(false);
  });

  describe('to a new version', () => {
    it('happens at the start, with the old rows in the view until the new ones have caught up', async () => {
      const old = await start(counter);
      await addMany(1500, 5);
      await old.caughtUp();
      await old.stop();
      const report = await longReport('counter');
      const next = await start(counting.version(2));
      await eventually(async () => {
        expect((await statusOf(next))?.building).toMatchObject({ version: 2, events: 1500 });
      });
      expect(await rows()).toHaveLength(5);
      expect(Object.keys((await rows())[0] ?? {})).not.toContain('twice');
      await report.end();
      await next.caughtUp();
      expect(await rows()).toMatchObject(Array.from({ length: 5 }, () => ({ sum: '300', twice: '600' })));
    });

    it('leaves an older program that still runs its rows: it reads the new ones and turns nothing back', async () => {
      const old = await start(counter);
      await add('a', 1);
      await old.caughtUp();
      const next = await start(counting.version(2));
      await next.caughtUp();
      const { position } = await add('a', 2);
      expect(await old.waitFor(['counter'], position, 5000)).toBe(true);
      expect(await rows()).toMatchObject([{ sum: '3', twice: '6' }]);
    });

    it('keeps views on the view alive', async () => {
      const old = await start(counter);
      await add('a', 1);
      await old.caughtUp();
      await old.stop();
      await fresh.database.query('create view report as select sum from counter');
      await (await start(counting.version(2))).caughtUp();
      expect(await fresh.database.query('select * from report')).toEqual([{ sum: '1' }]);
    });

    it('can not be cancelled: this program would have no rows', async () => {
      await (await start(counter)).stop();
      await start();
      const next = counting.version(2);
      await register(fresh.database, next);
      expect(await cancelled(next)).toBe(false);
      expect(await build(next)).toBe('swapped');
    });

    it('is refused to an older program that starts after it', async () => {
      await (await start(counting.version(2))).caughtUp();
      await expect(start(counter)).rejects.toThrow(NewerProjection);
      await expect(start(counter)).rejects.toThrow(
        'the projection counter was built by a newer OMA (version 2, this one knows 1); start that version instead',
      );
    });
  });

  it('of effects ends no lease before the live rows have seen the outcome', async () => {
    const effects = effectsProjection as unknown as AnyProjection;
    const effectId = newId();
    const requested = {
      ...{ effectId, step: 's', title: 't', kind: 'k', args: {}, resource: 'r', timeoutSeconds: 1 },
      ...{ retry: { attempts: 1, baseMs: 1, maxMs: 1 }, endsEffects: [] },
    };
    const runner = await start(effects);
    await store.append('trial-1', 'no-stream', [anEvent('EffectRequested', requested)]);
    await runner.caughtUp();
    await runner.stop();
    await fresh.database.query(
      `insert into effect_lease (effect_id, resource, owner, state, attempt, leased_until)
       values ($1, 'r', 'somebody', 'settled', 1, now())`,
      [effectId],
    );
    const outcome = { effectId, step: 's', attempt: 1, result: {} };
    await store.append('trial-1', 0n, [anEvent('EffectSucceeded', outcome)]);
    const report = await longReport('effect');
    await requestRebuild(fresh.database, effects);
    const building = build(effects);
    await eventually(async () => {
      expect(await fresh.database.query('select events from projection where generation = 2')).toEqual([
        { events: '2' },
      ]);
    });
    expect(await fresh.database.query('select state from effect_lease')).toEqual([{ state: 'settled' }]);
    expect(await fresh.database.query('select state from effect')).toEqual([{ state: 'pending' }]);
    await report.end();
    expect(await building).toBe('swapped');
    expect(await fresh.database.query('select state from effect')).toEqual([{ state: 'succeeded' }]);
    expect(await fresh.database.query('select state from effect_lease')).toEqual([]);
  });

  it('goes on without an event that was skipped, as the live rows do', async () => {
    const runner = await start(counter);
    await add('a', 1);
    const poison = anEvent('Poison', { name: 'a' });
    await append(poison);
    await add('a', 1);
    await eventually(async () => {
      expect((await statusOf(runner))?.status).toBe('stopped');
    });
    const upkeep = new RegistryProjectionUpkeep(fresh.database, store, [counter]);
    const why = { actor: 'user 1', reason: 'a trial' };
    expect(await upkeep.skip('counter', newId(), why)).toBe(false);
    // Nor what the log does not have there: it would be another one's place that the rows go on from.
    const other = new InMemoryEventStore();
    await other.append('c-1', 'any', [anEvent('Added'), anEvent('Added')]);
    expect(await new RegistryProjectionUpkeep(fresh.database, other, [counter]).skip('counter', poison.id, why)).toBe(
      false,
    );
    expect(await upkeep.skip('counter', poison.id, why)).toBe(true);
    await runner.caughtUp();
    await eventually(async () => {
      expect(await rows()).toMatchObject([{ name: 'a', sum: '2' }]);
    });
    expect(await rebuilt(counter)).toBe('running');
    expect(await rows()).toMatchObject([{ name: 'a', sum: '2' }]);
  });

  describe('compared with the log', () => {
    let runner: ProjectionRunner;
    const check = async (projection: AnyProjection, from: EventStore = store) => {
      const { id } = await requestCheck(fresh.database, projection, newId());
      await new Check({ database: fresh.database, store: from, logger: silentLog }, projection, id).run(
        new AbortController().signal,
      );
      return eventually(async () => {
        const found = await checkOf(fresh.database, id);
        if (found?.status === 'running') throw new Error('it is still being compared');
        return found;
      }, 20);
    };

    beforeEach(async () => {
      runner = await start(counter, listing);
      await addMany(1000, 6);
      await runner.caughtUp();
    });

    it('rows are not compared once more by who came while another one did', async () => {
      const { id } = (await check(counter)) ?? {};
      const again = new Check({ database: fresh.database, store, logger: silentLog }, counter, String(id));
      expect(await again.run(new AbortController().signal)).toBeNull();
    });

    it('rows that are as they should be show no difference', async () => {
      expect(await check(counter)).toMatchObject({
        status: 'done',
        position: await store.head(),
        comparison: { rows: 6, missing: 0, extra: 0, different: 0, examples: [] },
        standing: { stopped: false, head: await store.head(), behind: 0 },
      });
      expect(await check(listing)).toMatchObject({ comparison: { rows: 1000, missing: 0, extra: 0, different: 0 } });
    });

    it('rows that were changed, removed or added by hand are found and named', async () => {
      await fresh.database.query(`update rm_counter_v1 set sum = 0, last = 'x' where name = 'n3'`);
      await fresh.database.query(`update rm_counter_v1 set last = null where name = 'n4'`);
      await fresh.database.query(`delete from rm_counter_v1 where name = 'n1'`);
      await fresh.database.query(`insert into rm_counter_v1 values ('zero', 0, 'secret')`);
      const found = await check(counter);
      expect(found?.comparison).toEqual({
        rows: 6,
        missing: 1,
        extra: 1,
        different: 2,
        examples: [
          { key: 'n3', kind: 'different', columns: ['sum', 'last'] },
          { key: 'zero', kind: 'extra', columns: [] },
          { key: 'n1', kind: 'missing', columns: [] },
          { key: 'n4', kind: 'different', columns: ['last'] },
        ],
      });
      expect(JSON.stringify(found)).not.toContain('secret');
    });

    it('are compared at one position, however fast others write', async () => {
      const over = new AbortController();
      const writing = (async () => {
        while (!over.signal.aborted) await add('w', 1);
      })();
      for (let round = 0; round < 3; round += 1) {
        for (const projection of [counter, listing]) {
          expect((await check(projection))?.comparison).toMatchObject({ missing: 0, extra: 0, different: 0 });
        }
      }
      over.abort();
      await writing;
    });

    it('that stand still are told from those that are up to date, and how far the log is beyond them', async () => {
      const at = await store.head();
      await append(anEvent('Poison', { name: 'a' }), anEvent('Added', { name: 'a', by: 1 }));
      await append(anEvent('Unheard', {}));
      await runner.caughtUp();
      const head = await store.head();
      expect(await check(counter)).toMatchObject({
        status: 'done',
        position: at,
        comparison: { rows: 6, missing: 0, extra: 0, different: 0 },
        standing: { stopped: true, head, behind: 2 },
      });
    });

    it('that nobody takes further are told to be behind, by what is for them alone', async () => {
      await runner.stop();
      await append(anEvent('Unheard', {}));
      expect((await check(counter))?.standing).toEqual({ stopped: false, head: await store.head(), behind: 0 });
      await addMany(3, 1);
      expect((await check(counter))?.standing).toEqual({ stopped: false, head: await store.head(), behind: 3 });
    });

    it('that nobody takes further are not behind for having been compared', async () => {
      await runner.stop();
      const order = anEvent('ProjectionVerificationRequested', { projection: 'listing' });
      await store.append('projection-listing', 'any', [order]);
      expect((await check(listing))?.standing).toEqual({ stopped: false, head: await store.head(), behind: 0 });
      await store.append('projection-job', 'any', [anEvent('ProjectionRebuildRequested', { projection: 'job' })]);
      expect((await check(listing))?.standing).toMatchObject({ behind: 1 });
    });

    it('that are a moment late are waited for', async () => {
      const holder = new pg.Client({ connectionString: fresh.url });
      await holder.connect();
      await holder.query('begin');
      await holder.query(`select from projection where name = 'counter' for update`);
      await addMany(3, 1);
      // What the log has beyond the rows is looked at once they would be compared: from then on they may go on.
      let release: Promise<unknown> | undefined;
      const looking = behaving(store, {
        readAll: (options) => {
          release ??= holder.query('rollback');
          return store.readAll(options);
        },
      });
      const found = await check(counter, looking);
      await release;
      await holder.end();
      expect(found?.standing).toEqual({ stopped: false, head: await store.head(), behind: 0 });
    });

    it('leave no shadow behind, nor change what is read', async () => {
      await fresh.database.query(`delete from rm_counter_v1 where name = 'n1'`);
      await check(counter);
      expect(await rows()).toHaveLength(5);
      const tables = await fresh.database.query(`select tablename from pg_tables where tablename like 'rm%check%'`);
      expect(tables).toEqual([]);
    });

    it('leave no shadow behind when their connection is lost', async () => {
      const cutOff = behaving(store, {
        head: async () => {
          await fresh.database.query(
            `select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and application_name = 'oma rebuild'`,
          );
          return store.head();
        },
      });
      expect(await check(counter, cutOff)).toMatchObject({ status: 'failed' });
      const tables = await fresh.database.query(`select tablename from pg_tables where tablename like 'rm%check%'`);
      expect(tables).toEqual([]);
    });

    it('are not waited for when a newer version takes the place of those that were meant', async () => {
      await runner.stop();
      const { id } = await requestCheck(fresh.database, counter, newId());
      const shadow = `rm_counter_v1_check_${id.replaceAll('-', '').slice(-12)}`;
      // As one leaves it behind that is killed in the middle.
      await fresh.database.query(`create table ${shadow} (name text)`);
      await (await start(counting.version(2), listing)).caughtUp();
      await eventually(async () => {
        expect(await checkOf(fresh.database, id)).toMatchObject({
          status: 'failed',
          error: 'none of its rows are live in this version',
        });
      });
      expect(await fresh.database.query(`select to_regclass('${shadow}') as it`)).toEqual([{ it: null }]);
    });

    it('that can not be made from the log are told as such', async () => {
      await append(anEvent('Poison', { name: 'a' }));
      counting.cured = true;
      await runner.caughtUp();
      await eventually(async () => {
        await runner.retry('counter');
        expect((await statusOf(runner))?.position).toBe(await store.head());
      });
      counting.cured = false;
      expect(await check(counter)).toMatchObject({ status: 'failed', error: 'this can not be handled' });
    });
  });

  it('is begun although somebody holds a retired table that is to be removed', async () => {
    const runner = await start(counter, listing);
    await runner.caughtUp();
    await rebuilt(counter);
    await fresh.database.query(`update projection set retired_at = now() - interval '25 hours' where not live`);
    const report = await longReport('rm_counter_v1');
    await requestRebuild(fresh.database, listing);
    await eventually(async () => {
      expect(await statusOf(runner, 'listing')).toMatchObject({ generation: 2, building: null });
    });
    expect(await fresh.database.query(`select from projection where name = 'counter' and not live`)).toHaveLength(1);
    await report.end();
    await eventually(async () => {
      expect(await fresh.database.query(`select from projection where name = 'counter' and not live`)).toEqual([]);
    });
  });

  it('keeps retired rows for a day and then removes them', async () => {
    const runner = await start(counter);
    await runner.caughtUp();
    await rebuilt(counter);
    await rebuilt(counter);
    const retired = async () => {
      const found = await fresh.database.query<{ generation: number }>(
        `select generation from projection where not live order by generation`,
      );
      return found.map(({ generation }) => generation);
    };
    const table = (name: string) => fresh.database.query(`select to_regclass($1)::text as it`, [name]);
    const retire = (generation: number, age: string) =>
      fresh.database.query(`update projection set retired_at = now() - $2::interval where generation = $1`, [
        generation,
        age,
      ]);
    await retire(1, '23 hours');
    await retire(2, '25 hours');
    await eventually(async () => {
      expect(await retired()).not.toContain(2);
    });
    expect(await retired()).toEqual([1]);
    expect([await table('rm_counter_v1'), await table('rm_counter_v1_g2')]).toEqual([
      [{ it: 'rm_counter_v1' }],
      [{ it: null }],
    ]);
    expect(await statusOf(runner)).toMatchObject({ generation: 3 });
  });
});
