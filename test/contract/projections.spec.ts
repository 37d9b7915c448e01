import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';

import type { StoredEvent } from '#domain/kernel/event';
import type { Projection } from '#domain/kernel/projection';
import { Database } from '#platform/database/database';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { ProjectionRunner } from '#platform/projections/projection-runner';
import { register } from '#platform/projections/registration';
import type { AnyProjection } from '#platform/projections/tables';
import { foldBatch, saveRows } from '#platform/projections/writer';

import { freshDatabase } from '../kit/database.js';
import { anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

type Counter = { name: string; sum: number; seen: readonly string[]; since: string | null };

/** Adds up per name; 'Forgotten' removes the row; 'Poison' can't be handled until `cured`. */
class Counting {
  cured = false;

  readonly projection: Projection<Counter> = {
    name: 'counter',
    version: 1,
    table: {
      key: 'name',
      columns: { name: 'text', sum: 'bigint', seen: 'jsonb', since: 'timestamptz' },
      indexes: [['sum']],
    },
    handles: ['Added', 'Forgotten', 'Poison'],
    keysOf: (event) => [(event.data as { name: string }).name],
    evolve: (row, event) => {
      if (event.type === 'Poison' && !this.cured) throw new Error('this can not be handled');
      if (event.type === 'Forgotten') return null;
      const { name, by = 0 } = event.data as { name: string; by?: number };
      const known = row ?? { name, sum: 0, seen: [], since: event.recordedAt.toISOString() };
      return { ...known, sum: known.sum + by, seen: [...known.seen, event.id] };
    },
  };
}

const listing: Projection<{ id: string; type: string }> = {
  name: 'listing',
  version: 1,
  table: { key: 'id', columns: { id: 'uuid', type: 'text' } },
  handles: 'all',
  keysOf: (event) => [event.id],
  evolve: (_row, event) => ({ id: event.id, type: event.type }),
};

/** Waits before it says that a projection is stopped. */
class HeldUp extends Database {
  goOn: () => void = () => undefined;
  private tell: () => void = () => undefined;
  readonly reached = new Promise<void>((resolve) => {
    this.tell = resolve;
  });
  private readonly free = new Promise<void>((resolve) => {
    this.goOn = resolve;
  });

  override async query<Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    if (sql.includes("status = 'stopped', error")) {
      this.tell();
      await this.free;
    }
    return super.query<Row>(sql, values);
  }
}

describe('the projection runner', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: InMemoryEventStore;
  let counting: Counting;
  let runners: ProjectionRunner[];

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new InMemoryEventStore();
    counting = new Counting();
    runners = [];
  });

  afterEach(async () => {
    await Promise.all(runners.map((runner) => runner.stop()));
    await fresh.drop();
  });

  const projections = () => [counting.projection, listing] as unknown as readonly AnyProjection[];
  const start = async () => {
    const runner = new ProjectionRunner(fresh.database, store, projections(), silentLog);
    runners.push(runner);
    await runner.start();
    return runner;
  };
  const add = (name: string, by: number) => store.append('c-1', 'any', [anEvent('Added', { name, by })]);
  const sums = async () => {
    const rows = await fresh.database.query<{ name: string; sum: string }>(
      'select name, sum from counter order by name',
    );
    return Object.fromEntries(rows.map((row) => [row.name, Number(row.sum)]));
  };

  it('keeps rows as the events say, and removes those that are no more', async () => {
    const runner = await start();
    await add('a', 2);
    await add('b', 5);
    await add('a', 3);
    await store.append('c-1', 'any', [anEvent('Forgotten', { name: 'b' })]);
    await runner.caughtUp();
    expect(await sums()).toEqual({ a: 5 });
  });

  it('writes nothing where neither a row nor what is beside the rows is touched', async () => {
    await fresh.database.query('create table beside (name text)');
    const projection: Projection<Counter> = {
      ...counting.projection,
      keysOf: ({ type, data }) => (type === 'Added' ? [(data as { name: string }).name] : []),
      besides: (batch) =>
        batch
          .filter(({ type }) => type === 'Forgotten')
          .map(({ data }) => ({ sql: 'insert into beside values ($1)', values: [(data as { name: string }).name] })),
    };
    const runner = new ProjectionRunner(
      ...([fresh.database, store, [projection] as unknown as readonly AnyProjection[], silentLog] as const),
    );
    runners.push(runner);
    await runner.start();
    const asked = jest.spyOn(fresh.database.pool, 'query');
    const together = jest.spyOn(fresh.database, 'transaction');
    const writing = () => {
      const alone = asked.mock.calls.filter(([query]) => (query as { text?: string }).text?.includes('rm_counter_v1'));
      // Each reads its rows before it writes them.
      return { rows: alone.length / 2, withWhatIsBeside: together.mock.calls.length };
    };
    for (const [type, written] of [
      ['Added', { rows: 1, withWhatIsBeside: 0 }],
      ['Poison', { rows: 1, withWhatIsBeside: 0 }],
      ['Forgotten', { rows: 1, withWhatIsBeside: 1 }],
    ] as const) {
      const { position } = await store.append('c-1', 'any', [anEvent(type, { name: type, by: 1 })]);
      await eventually(async () => {
        expect((await runner.status())[0]?.position).toBe(position);
      });
      expect(writing()).toEqual(written);
    }
    expect(await sums()).toEqual({ Added: 1 });
    expect(await fresh.database.query('table beside')).toEqual([{ name: 'Forgotten' }]);
  });

  it('goes on after a restart where it had been, and folds each event once', async () => {
    const first = await start();
    for (let index = 0; index < 50; index += 1) await add('a', 1);
    await first.caughtUp();
    await first.stop();
    for (let index = 0; index < 50; index += 1) await add('a', 1);
    const second = await start();
    await second.caughtUp();
    expect(await sums()).toEqual({ a: 100 });
  });

  it('folds each event once with two instances at work', async () => {
    const [one] = await Promise.all([start(), start()]);
    await Promise.all(Array.from({ length: 200 }, (_, index) => add(`n${index % 7}`, 1)));
    await one.caughtUp();
    expect(Object.values(await sums()).reduce((sum, value) => sum + value, 0)).toBe(200);
  });

  it('moves rows and checkpoint together: neither without the other', async () => {
    const runner = await start();
    await runner.caughtUp();
    await fresh.database.query('alter table rm_counter_v1 add constraint small check (sum < 3)');
    await add('a', 1);
    await runner.caughtUp();
    const before = await checkpoint();
    await add('a', 7);
    await eventually(async () => {
      expect((await statusOf(runner, 'counter'))?.status).toBe('stopped');
    });
    expect(await sums()).toEqual({ a: 1 });
    expect(await checkpoint()).toBe(before);
  });

  it('stops at what it can not handle, keeps what came before, and lets the others go on', async () => {
    const runner = await start();
    await add('a', 1);
    const poison = anEvent('Poison', { name: 'a' });
    await store.append('c-1', 'any', [anEvent('Added', { name: 'b', by: 2 }), poison]);
    await add('c', 3);
    await eventually(async () => {
      expect(await statusOf(runner, 'counter')).toMatchObject({
        status: 'stopped',
        error: 'this can not be handled',
        stoppedEventId: poison.id,
      });
    });
    expect(await sums()).toEqual({ a: 1, b: 2 });
    await runner.caughtUp(['listing']);
    expect(await fresh.database.query('select id from listing')).toHaveLength(4);
    expect(await runner.waitFor(['counter'], await store.head(), 50)).toBe(false);
  });

  it('blames no event when a connection is broken off in the middle, and goes on', async () => {
    const runner = await start();
    await runner.caughtUp();
    await fresh.database.transaction(async (sql) => {
      await sql.query(`select from projection where name = 'counter' for update`);
      await add('a', 1);
      await eventually(async () => {
        const cut = await fresh.database.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`,
        );
        expect(cut).toHaveLength(1);
      });
    });
    await runner.caughtUp();
    expect(await statusOf(runner, 'counter')).toMatchObject({ status: 'running', error: null });
    expect(await sums()).toEqual({ a: 1 });
  });

  it('leaves the log in peace while it stands still', async () => {
    const runner = await start();
    await store.append('c-1', 'any', [anEvent('Poison', { name: 'a' })]);
    await eventually(async () => {
      expect((await statusOf(runner, 'counter'))?.status).toBe('stopped');
    });
    await runner.caughtUp(['listing']);
    const subscribe = jest.spyOn(store, 'subscribe');
    for (let round = 0; round < 20; round += 1) {
      await add('a', 1);
      await runner.caughtUp(['listing']);
    }
    expect(subscribe).not.toHaveBeenCalled();
  });

  it('writes together what comes while rows rest', async () => {
    const resting = { ...counting.projection, restMs: 2000 } as unknown as AnyProjection;
    const runner = new ProjectionRunner(fresh.database, store, [resting], silentLog);
    runners.push(runner);
    await runner.start();
    await runner.caughtUp();
    const batches: number[] = [];
    runner.onAdvance((_name, events) => {
      if (events > 0) batches.push(events);
    });
    const { position } = await add('a', 1);
    expect(await runner.waitFor(['counter'], position, 5000)).toBe(true);
    for (let round = 0; round < 5; round += 1) await add('a', 1);
    await runner.caughtUp();
    expect(await sums()).toEqual({ a: 6 });
    expect(batches).toEqual([1, 5]);
  });

  it('tries again when it is told to, also after a restart', async () => {
    const runner = await start();
    await store.append('c-1', 'any', [anEvent('Poison', { name: 'a', by: 4 })]);
    await eventually(async () => {
      expect((await statusOf(runner, 'counter'))?.status).toBe('stopped');
    });
    await runner.stop();
    const next = await start();
    expect((await statusOf(next, 'counter'))?.status).toBe('stopped');
    counting.cured = true;
    expect(await next.retry('counter')).toBe(true);
    await next.caughtUp();
    expect(await sums()).toEqual({ a: 4 });
    expect(await next.retry('counter')).toBe(false);
  });

  it('is not stopped by an instance that comes late to say so, when another one has handled the event meanwhile', async () => {
    const slow = new HeldUp(fresh.url);
    const late = new ProjectionRunner(slow, store, [counting.projection as unknown as AnyProjection], silentLog);
    runners.push(late);
    await late.start();
    await store.append('c-1', 'any', [anEvent('Poison', { name: 'a', by: 4 })]);
    await slow.reached;
    const first = await start();
    await eventually(async () => {
      expect((await statusOf(first, 'counter'))?.status).toBe('stopped');
    });
    counting.cured = true;
    expect(await first.retry('counter')).toBe(true);
    await first.caughtUp();
    await first.stop();
    slow.goOn();
    const { position } = await add('a', 1);
    expect(await late.waitFor(['counter'], position, 5000)).toBe(true);
    expect(await sums()).toEqual({ a: 5 });
    await late.stop();
    await slow.close();
  });

  it('is set going again in every instance, whichever is told', async () => {
    const first = await start();
    await store.append('c-1', 'any', [anEvent('Poison', { name: 'a', by: 4 })]);
    await eventually(async () => {
      expect((await statusOf(first, 'counter'))?.status).toBe('stopped');
    });
    // One that met the event itself, and is slow to say so, would stop the rows once more.
    const second = await start();
    counting.cured = true;
    expect(await first.retry('counter')).toBe(true);
    await first.caughtUp();
    await first.stop();
    const { position } = await add('a', 1);
    expect(await second.waitFor(['counter'], position, 5000)).toBe(true);
    expect(await sums()).toEqual({ a: 5 });
  });

  it('does not take how far an earlier version was for how far this one is', async () => {
    const { position } = await store.append('c-1', 'any', [anEvent('Poison', { name: 'a' })]);
    await fresh.database.query(
      `insert into projection (name, version, position, status) values ('counter', 0, $1, 'running')`,
      [position],
    );
    const runner = await start();
    expect(await runner.waitFor(['counter'], position, 300)).toBe(false);
  });

  it('tells when the rows have passed a position', async () => {
    const runner = await start();
    const { position } = await add('a', 1);
    expect(await runner.waitFor(['counter', 'listing'], position, 5000)).toBe(true);
    expect(await sums()).toEqual({ a: 1 });
    expect(await runner.waitFor(['counter'], '99999999999999999999', 30)).toBe(false);
  });

  it('tells those who listen which rows went on, and by how many events', async () => {
    const runner = await start();
    const heard: Record<string, number> = {};
    const unsubscribe = runner.onAdvance((name, events) => {
      heard[name] = (heard[name] ?? 0) + events;
    });
    await add('a', 1);
    await add('b', 1);
    await store.append('c-1', 'any', [anEvent('Unheard')]);
    await eventually(() => {
      expect(heard).toEqual({ counter: 2, listing: 3 });
    });
    unsubscribe();
    await add('a', 1);
    await runner.caughtUp();
    expect(heard).toEqual({ counter: 2, listing: 3 });
  });

  it.each([
    ['refuses connections', 'postgres://nobody@127.0.0.1:1/none'],
    ['says nothing at all', null],
  ])('tells in time that it can not say so while the database %s', async (_how, url) => {
    const silent = createServer();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const away = new Database(url ?? `postgres://nobody@127.0.0.1:${port}/none`);
    const sockets: Socket[] = [];
    silent.on('connection', (socket) => sockets.push(socket));
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now());
    try {
      const begin = performance.now();
      const runner = new ProjectionRunner(away, store, projections(), silentLog);
      expect(await runner.waitFor(['counter'], '1', 200)).toBe(false);
      expect(performance.now() - begin).toBeLessThan(5000);
    } finally {
      clock.mockRestore();
      for (const socket of sockets) socket.destroy();
      silent.close();
      await away.close();
    }
  });

  it('tells when some rows show what others show', async () => {
    const runner = await start();
    await add('a', 1);
    await runner.caughtUp(['listing']);
    expect(await runner.waitForLeader(['counter'], 'listing', 5000)).toBe(true);
    expect(await sums()).toEqual({ a: 1 });
    await store.append('c-1', 'any', [anEvent('Poison', { name: 'a' })]);
    await runner.caughtUp(['listing']);
    expect(await runner.waitForLeader(['counter'], 'listing', 50)).toBe(false);
  });

  it('says how far behind it is', async () => {
    const runner = await start();
    await add('a', 1);
    await runner.caughtUp();
    expect(await statusOf(runner, 'counter')).toMatchObject({ status: 'running', lagSeconds: 0 });
    await store.append('c-1', 'any', [anEvent('Poison', { name: 'a' })]);
    await eventually(async () => {
      expect((await statusOf(runner, 'counter'))?.lagSeconds).toBeGreaterThan(0);
    });
  });

  it('gives the same rows however the log is cut into batches', async () => {
    const events: StoredEvent[] = [];
    const steps = fc.array(
      fc.record({ name: fc.constantFrom('a', 'b', 'c'), by: fc.integer({ min: -5, max: 5 }), gone: fc.boolean() }),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), async (facts, cuts) => {
        events.length = 0;
        for (const [index, fact] of facts.entries()) {
          const type = fact.gone ? 'Forgotten' : 'Added';
          const event = anEvent(type, fact);
          const position = String(index + 1).padStart(20, '0');
          events.push({ ...event, stream: 'c-1', revision: BigInt(index), position, recordedAt: new Date(index) });
        }
        const inOne = await rowsAfter([events]);
        const batches: StoredEvent[][] = [];
        for (let at = 0, cut = 0; at < events.length; cut += 1) {
          const size = cuts[cut % cuts.length] ?? 1;
          batches.push(events.slice(at, at + size));
          at += size;
        }
        expect(await rowsAfter(batches)).toEqual(inOne);
      }),
      { numRuns: 40 },
    );
  }, 30_000);

  async function rowsAfter(batches: readonly (readonly StoredEvent[])[]): Promise<unknown> {
    const projection = counting.projection as unknown as AnyProjection;
    await register(fresh.database, projection);
    await fresh.database.query('truncate rm_counter_v1');
    for (const batch of batches) {
      const rows = await foldBatch(fresh.database.pool, projection, 'rm_counter_v1', batch);
      await saveRows(fresh.database.pool, projection, 'rm_counter_v1', rows);
    }
    return fresh.database.query('select * from counter order by name');
  }

  async function checkpoint(): Promise<string | undefined> {
    const [row] = await fresh.database.query<{ position: string }>(
      `select position from projection where name = 'counter'`,
    );
    return row?.position;
  }

  async function statusOf(runner: ProjectionRunner, name: string) {
    return (await runner.status()).find((one) => one.name === name);
  }
});
