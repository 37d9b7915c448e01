import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { CommandContext } from '#domain/kernel/command-context';
import { type ReservationEvent, reservation } from '#domain/kernel/reservation';
import { Database } from '#platform/database/database';
import { Aggregates } from '#platform/event-store/aggregates';
import { type EventStore, EventStoreAway } from '#platform/event-store/event-store.port';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { WakeUp } from '#platform/event-store/postgres/wake-up';
import { newId } from '#platform/ids/ids';
import { BuildConnection } from '#platform/projections/build-connection';

import { freshDatabase } from '../kit/database.js';
import { all, anEvent, EVENT_STORES } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

const outcomeWithin = async (work: Promise<unknown>, ms: number): Promise<string> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => {
      resolve('late');
    }, ms);
  });
  const answer = work.then(
    () => 'fulfilled',
    () => 'rejected',
  );
  return Promise.race([answer, late]).finally(() => {
    clearTimeout(timer);
  });
};

/** The name of what it is refused with. */
const refusalWithin = (work: Promise<unknown>, ms: number): Promise<string> => {
  let name = '';
  const refused = work.catch((error: unknown) => {
    name = error instanceof Error ? error.name : 'no error';
    throw error;
  });
  return outcomeWithin(refused, ms).then((outcome) => (outcome === 'rejected' ? name : outcome));
};

describe.each(EVENT_STORES)('an event store $name', ({ open }) => {
  let store: EventStore;
  let clear: () => Promise<void>;

  beforeEach(async () => {
    ({ store, clear } = await open());
  });

  afterEach(async () => {
    await clear();
  });

  it('answers a command that comes twice at once also when somebody else appends in between', async () => {
    const commandId = newId();
    const context: CommandContext = {
      actor: { kind: 'user', id: 'somebody' },
      correlationId: newId(),
      causationId: commandId,
      commandId,
    };
    const call = {
      decider: reservation,
      stream: 'name-x',
      command: { type: 'Reserve', by: 'me', label: 'x', creates: { category: 'thing', command: {} } },
      context,
    } as const;
    const earlier: ReservationEvent = { type: 'ReservationReleased', data: { by: 'x' } };
    const first = new Aggregates(store);
    // The second copy has read the stream; before it appends, somebody else does, and then the first copy.
    let before: (() => Promise<void>) | undefined = async () => {
      await store.append('name-x', 'no-stream', [anEvent(earlier.type, earlier.data)]);
      await first.handle(call);
    };
    const append: EventStore['append'] = async (...values) => {
      const meanwhile = before;
      before = undefined;
      await meanwhile?.();
      return store.append(...values);
    };
    const overtaken = new Proxy(store, {
      get: (target, key) => {
        if (key === 'append') return append;
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const answer = await new Aggregates(overtaken).handle(call);
    expect(answer).toMatchObject({ revision: 1n, events: [{ type: 'Reserved' }] });
  });
});

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

  it.each(['abort', 'close'] as const)(
    'ends a subscription promptly on %s while the database does not answer',
    async (how) => {
      const other = new Database(fresh.url);
      const holder = await other.pool.connect();
      await holder.query('begin; lock table es.event, es.head in access exclusive mode');
      const life = new AbortController();
      const reading = (async () => {
        for await (const batch of store.subscribe({ after: '', signal: life.signal })) expect(batch.live).toBe(true);
      })();
      const asked = () => fresh.database.pool.totalCount > fresh.database.pool.idleCount;
      while (!asked()) await new Promise((resolve) => setImmediate(resolve));
      const closing = how === 'abort' ? undefined : store.close();
      if (how === 'abort') life.abort();
      const outcome = await outcomeWithin(reading, 2000);
      await holder.query('rollback');
      holder.release();
      await Promise.all([reading, closing]);
      await other.close();
      expect(outcome).toBe('fulfilled');
    },
  );

  it('does not pass a hole in the log over in silence', async () => {
    for (let index = 0; index < 5; index += 1) await store.append(`a-${index}`, 'no-stream', [anEvent()]);
    await fresh.database.query(
      `alter table es.event disable trigger event_immutable; delete from es.event where position = 3`,
    );
    const life = new AbortController();
    const passed: string[] = [];
    const reading = (async () => {
      for await (const batch of store.subscribe({ after: '', signal: life.signal, maxBatch: 2 })) {
        passed.push(...batch.events.map((event) => event.stream));
        if (batch.live) return;
      }
    })();
    await outcomeWithin(reading, 2000);
    life.abort();
    await reading.catch(() => undefined);
    expect(passed).not.toContain('a-3');
  });

  it('tells who reads the same', async () => {
    const away = new Database('postgres://nobody@127.0.0.1:1/none');
    const other = new PostgresEventStore(away, silentLog);
    await expect(other.head()).rejects.toThrow(EventStoreAway);
    await expect(all(other.readAll())).rejects.toThrow(EventStoreAway);
    await expect(all(other.readStream('a-1'))).rejects.toThrow(EventStoreAway);
    await other.close();
    await away.close();
  });

  it('is told by the database what another process appends, long before it would have asked', async () => {
    const elsewhere = new Database(fresh.url);
    const other = new PostgresEventStore(elsewhere, silentLog);
    const life = new AbortController();
    const arrived = new Map<string, number>();
    const reading = (async () => {
      for await (const batch of store.subscribe({ after: '', signal: life.signal })) {
        for (const event of batch.events) arrived.set(event.id, performance.now());
      }
    })();
    const delays: number[] = [];
    for (let index = 0; index < 5; index += 1) {
      const event = anEvent();
      await other.append(`a-${index}`, 'no-stream', [event]);
      const begun = performance.now();
      await eventually(() => {
        expect(arrived.has(event.id)).toBe(true);
      });
      delays.push((arrived.get(event.id) ?? Infinity) - begun);
    }
    life.abort();
    await reading;
    await other.close();
    await elsewhere.close();
    expect(Math.max(...delays)).toBeLessThan(600);
  });
});

/** The promised time is long, so those who wait it out do so together. */
describe('who appends to the log in PostgreSQL is told within the promised time that', () => {
  let whileAway: readonly string[];
  let whileSilent: string;
  let whileMute: readonly string[];

  const appendAway = async () => {
    const away = new Database('postgres://nobody@127.0.0.1:1/none');
    const store = new PostgresEventStore(away, silentLog);
    const begun = performance.now();
    const waits = await Promise.all(
      [1, 2, 3, 4].map(async (index) => {
        const refusal = await refusalWithin(store.append(`a-${index}`, 'no-stream', [anEvent()]), 40_000);
        const ms = performance.now() - begun;
        return `${refusal} ${ms < 20_000 ? 'in time' : `after ${Math.round(ms)} ms`}`;
      }),
    );
    await away.close();
    return waits;
  };
  const appendSilent = async () => {
    const fresh = await freshDatabase();
    const store = new PostgresEventStore(fresh.database, silentLog);
    await store.start();
    const elsewhere = new Database(fresh.url);
    const holder = await elsewhere.pool.connect();
    await holder.query('begin; select from es.head for update');
    const appending = store.append('a-1', 'no-stream', [anEvent()]);
    const refusal = await refusalWithin(appending, 20_000);
    await holder.query('rollback');
    holder.release();
    await appending.catch(() => undefined);
    await elsewhere.close();
    await store.close();
    await fresh.drop();
    return refusal;
  };

  /** Something takes the connections of whoever wakes readers, or builds rows, and says nothing. */
  const connectToMute = async () => {
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const url = `postgres://nobody@127.0.0.1:${(mute.address() as AddressInfo).port}/none`;
    const wakeUp = new WakeUp(new Database(url), silentLog, () => null);
    const outcomes = await Promise.all([
      outcomeWithin(wakeUp.listen(), 20_000),
      outcomeWithin(BuildConnection.open(url, 'one', new AbortController().signal), 20_000),
    ]);
    for (const socket of sockets) socket.destroy();
    await wakeUp.close();
    mute.close();
    return outcomes;
  };

  beforeAll(async () => {
    [whileAway, whileSilent, whileMute] = await Promise.all([appendAway(), appendSilent(), connectToMute()]);
  }, 60_000);

  it('nobody speaks where the database should be, and so is who wakes readers or builds rows', () => {
    expect(whileMute).toEqual(['fulfilled', 'rejected']);
  });

  it('the database is away, however many wait', () => {
    expect(whileAway).toEqual(Array.from({ length: 4 }, () => 'EventStoreAway in time'));
  });

  it('the database does not answer', () => {
    expect(whileSilent).toBe('EventStoreAway');
  });
});
