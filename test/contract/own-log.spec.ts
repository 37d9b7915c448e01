import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Position } from '#domain/kernel/event';
import { EventStoreDbDouble } from '#lab/eventstoredb/double';
import { migrate } from '#platform/database/migrate';
import { migrations } from '#platform/database/migrations';
import { EventStoreAway, type OpenEventStore } from '#platform/event-store/event-store.port';
import { EventStoreDbEventStore } from '#platform/event-store/eventstoredb/eventstoredb.event-store';
import { keepToOwnLog, requireOwnLog } from '#platform/event-store/own-log';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';

import { projections } from '../../src/catalogue.js';
import { projectionThreads } from '../../src/projection-workshop.js';
import { freshDatabase } from '../kit/database.js';
import { all, anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { Relay } from '../kit/relay.js';
import { silentLog } from '../kit/silent-log.js';

const LAST_BEFORE = '0015-free-resources';

describe('the log that a database belongs to', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let double: EventStoreDbDouble;
  let opened: OpenEventStore[];
  let others: EventStoreDbDouble[];

  beforeEach(async () => {
    fresh = await freshDatabase();
    double = await EventStoreDbDouble.start();
    opened = [];
    others = [];
  });

  afterEach(async () => {
    for (const store of opened) await store.close();
    for (const one of [double, ...others]) one.stop();
    await fresh.drop();
  });

  const inPostgres = async () => {
    const store = new PostgresEventStore(fresh.database, silentLog);
    opened.push(store);
    await store.start();
    return store;
  };
  const inEventStoreDb = async (namespace = 'berlin', server: { readonly url: string } = double) => {
    const store = new EventStoreDbEventStore({ url: server.url, namespace }, silentLog);
    opened.push(store);
    await store.start();
    return store;
  };
  const anotherServer = async () => {
    const other = await EventStoreDbDouble.start();
    others.push(other);
    return other;
  };
  const keepTo = async (store: OpenEventStore) => keepToOwnLog(fresh.database, store);

  it('is the one that it was first used with, also when it is opened anew', async () => {
    await keepTo(await inEventStoreDb());
    await expect(keepTo(await inEventStoreDb())).resolves.toBeUndefined();
  });

  describe('while OMA runs', () => {
    const replaced = (store: OpenEventStore) =>
      Promise.race([store.replaced.then(() => true), pause(10_000, false, { ref: false })]);
    /** Another server, with nothing in it, takes the place of the one that was there. */
    const replaceServer = async () => {
      const port = Number(new URL(double.url.replace('esdb:', 'http:')).port);
      double.stop();
      double = await EventStoreDbDouble.start(port);
    };

    it('is missed at once when it was lost: nothing is acknowledged that nobody would find', async () => {
      const store = await inEventStoreDb();
      await keepTo(store);
      await store.append('a-1', 'no-stream', [anEvent()]);
      await replaceServer();
      await expect(store.append('a-2', 'no-stream', [anEvent()])).rejects.toThrow(EventStoreAway);
      expect(await replaced(store)).toBe(true);
      expect(await store.answers()).toBe(false);
      expect(double.log.records.filter(({ stream }) => stream.includes('a-2'))).toEqual([]);
    });

    it('is missed by all who append at once: nothing is stored in the one that took its place', async () => {
      const store = await inEventStoreDb();
      await keepTo(store);
      await store.append('a-1', 'no-stream', [anEvent()]);
      await replaceServer();
      const appending = Array.from({ length: 20 }, (_, index) => store.append(`b-${index}`, 'no-stream', [anEvent()]));
      const outcomes = await Promise.allSettled(appending);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toEqual([]);
      expect(double.log.records.map(({ stream }) => stream).filter((stream) => stream.includes('b-'))).toEqual([]);
    });

    it('is missed by those who read one stream of it: what was in it is not told to be nothing', async () => {
      const store = await inEventStoreDb();
      await keepTo(store);
      await store.append('a-1', 'no-stream', [anEvent()]);
      expect(await all(store.readStream('a-1'))).toHaveLength(1);
      await replaceServer();
      await expect(all(store.readStream('a-1'))).rejects.toThrow(EventStoreAway);
      expect(await replaced(store)).toBe(true);
      // Found out once, it is known for good, also about what another log has under that name.
      await expect(all(store.readStream('a-1', { limit: 1 }))).rejects.toThrow(EventStoreAway);
    });

    it('is missed by those who do nothing but read one stream of it', async () => {
      const other = await inEventStoreDb();
      await keepTo(other);
      await other.append('a-1', 'no-stream', [anEvent()]);
      const store = await inEventStoreDb();
      await keepTo(store);
      expect(await all(store.readStream('a-1'))).toHaveLength(1);
      await replaceServer();
      await expect(all(store.readStream('a-1'))).rejects.toThrow(EventStoreAway);
    });

    it('is missed by those who only follow it', async () => {
      const store = await inEventStoreDb();
      await keepTo(store);
      const life = new AbortController();
      const following = (async () => {
        for await (const { events } of store.subscribe({ after: '', signal: life.signal })) expect(events).toEqual([]);
      })();
      await eventually(() => {
        expect(double.reads.subscribers).toBe(1);
      });
      await replaceServer();
      expect(await replaced(store)).toBe(true);
      life.abort();
      await following.catch(() => undefined);
    });

    describe('and the way to it leads to another one of the same shape while somebody asks', () => {
      let relay: Relay;
      let positions: Position[];
      let here: string[];
      let store: OpenEventStore;

      /** Another log has the same positions, one event more, and none of the events. */
      const fill = async (server: EventStoreDbDouble, count: number) => {
        const filling = await inEventStoreDb('berlin', server);
        await filling.named();
        const events = Array.from({ length: count }, () => anEvent());
        const appended: Position[] = [];
        for (const [index, event] of events.entries()) {
          appended.push((await filling.append(`a-${index}`, 'no-stream', [event])).position);
        }
        return { ids: events.map(({ id }) => id), positions: appended };
      };

      beforeEach(async () => {
        const other = await anotherServer();
        relay = await Relay.to(double.address.port);
        ({ ids: here, positions } = await fill(double, 2));
        expect((await fill(other, 3)).positions.slice(0, 2)).toEqual(positions);
        // It appends nothing, so that no call is open on its connection.
        store = await inEventStoreDb('berlin', relay);
        await keepTo(store);
        expect(await all(store.readAll())).toHaveLength(here.length);
        relay.leadTo(other.address.port);
      });

      afterEach(() => {
        relay.close();
      });

      it.each([
        ['a page that is read for a projection', 0],
        ['what is followed', 1],
      ])(
        'is missed before %s is given out',
        async (_what, index) => {
          const life = new AbortController();
          const ids: string[] = [];
          const following = (async () => {
            const after = positions[index] ?? '';
            for await (const { events } of store.subscribe({ after, signal: life.signal })) {
              ids.push(...events.map(({ id }) => id));
            }
          })();
          const outcome = Promise.allSettled([following]);
          expect(await replaced(store)).toBe(true);
          life.abort();
          await outcome;
          expect(ids).toEqual([]);
        },
        20_000,
      );

      it.each([
        ['its events are', () => all(store.readAll())],
        ['its end is', () => store.head()],
        ['how far it is, is', () => store.reaches(positions.at(-1) ?? '')],
        ['one stream of it is', () => all(store.readStream('a-0'))],
        ['that it lacks a position is', () => all(store.readAll({ after: inside(positions[0] ?? '') }))],
      ])('is missed before %s told', async (_what, ask) => {
        await expect(ask()).rejects.toThrow(EventStoreAway);
        expect(await replaced(store)).toBe(true);
      });
    });

    it('is the same after an outage, and goes on', async () => {
      const store = await inEventStoreDb();
      await keepTo(store);
      double.goAway();
      const appending = store.append('a-1', 'no-stream', [anEvent()]);
      await double.comeBack();
      expect(await appending).toMatchObject({ revision: 0n, duplicate: false });
      expect(await store.answers()).toBe(true);
    });
  });

  it('may be the one in itself', async () => {
    await keepTo(await inPostgres());
    await expect(keepTo(await inPostgres())).resolves.toBeUndefined();
  });

  it('is not one in EventStoreDB when it was the one in itself, which is said with a remedy', async () => {
    await keepTo(await inPostgres());
    await expect(keepTo(await inEventStoreDb())).rejects.toMatchObject({
      exitCode: 78,
      message:
        'the database belongs to the log in PostgreSQL, and the settings name a log in EventStoreDB; ' +
        'unset EVENTSTORE_URL, or give OMA an empty database',
    });
  });

  it('is not the one in itself when it was one in EventStoreDB', async () => {
    await keepTo(await inEventStoreDb());
    await expect(keepTo(await inPostgres())).rejects.toMatchObject({
      exitCode: 78,
      message:
        'the database belongs to a log in EventStoreDB, and the settings name the log in PostgreSQL; ' +
        'set EVENTSTORE_URL and EVENTSTORE_NAMESPACE as they were, or give OMA an empty database',
    });
  });

  it.each([
    ['on another server', async () => inEventStoreDb('berlin', await anotherServer())],
    ['under another namespace', () => inEventStoreDb('paris')],
    ['under no namespace', () => inEventStoreDb('')],
    [
      'that others use already',
      async () => {
        const store = await inEventStoreDb('paris');
        await store.named();
        return store;
      },
    ],
  ])('is not another one %s', async (_where, other) => {
    await keepTo(await inEventStoreDb());
    await expect(keepTo(await other())).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining('a log in EventStoreDB, and the settings name another one; set'),
    });
  });

  it('is left alone, and so is the other one, when they do not fit', async () => {
    await keepTo(await inEventStoreDb());
    const other = await inEventStoreDb('paris');
    await expect(keepTo(other)).rejects.toThrow('belongs to');
    expect(await other.identity()).toEqual({ kind: 'eventstoredb', id: null });
    await expect(keepTo(await inEventStoreDb())).resolves.toBeUndefined();
  });

  it('is one alone when two start at once with different ones', async () => {
    const slower = await inEventStoreDb();
    const named = slower.named.bind(slower);
    slower.named = async () => {
      await keepTo(await inPostgres());
      return named();
    };
    await expect(keepTo(slower)).rejects.toThrow('belongs to the log in PostgreSQL');
    await expect(keepTo(await inPostgres())).resolves.toBeUndefined();
  });

  it('has one name when two start at once with the same', async () => {
    const stores = [await inEventStoreDb(), await inEventStoreDb()];
    await Promise.all(stores.map(keepTo));
    const [one, other] = await Promise.all(stores.map((store) => store.identity()));
    expect(one?.id).not.toBeNull();
    expect(one).toEqual(other);
  });

  it('has a name that is no event', async () => {
    const store = await inEventStoreDb('');
    await store.named();
    expect(await store.head()).toBe('');
    expect(await all(store.readAll())).toEqual([]);
  });

  it('is the only one that rows are built from, also in a thread of its own', async () => {
    await keepTo(await inEventStoreDb());
    const building = async (eventStoreUrl: string) => {
      const threads = projectionThreads(fresh.url, 'silent', { eventStoreUrl, eventStoreNamespace: 'berlin' });
      await threads.build(projections[0]!, AbortSignal.timeout(20_000));
    };
    await expect(building((await anotherServer()).url)).rejects.toThrow('belongs to a log in EventStoreDB');
    await expect(building(double.url)).resolves.toBeUndefined();
  });

  it('is compared without being named by those who only look', async () => {
    const store = await inEventStoreDb();
    await requireOwnLog(fresh.database, store);
    expect(await store.identity()).toEqual({ kind: 'eventstoredb', id: null });
    await keepTo(await inPostgres());
    await expect(requireOwnLog(fresh.database, store)).rejects.toMatchObject({ exitCode: 78 });
  });

  describe('of a database that an older OMA used', () => {
    beforeEach(async () => {
      await fresh.drop();
      fresh = await freshDatabase({ migrated: false });
      const known = migrations.slice(0, migrations.findIndex(({ id }) => id === LAST_BEFORE) + 1);
      await migrate(fresh.database, known, silentLog);
    });

    const checkpointAt = (position: string) =>
      fresh.database.query(
        `insert into projection (name, version, position, status) values ('job', 1, $1, 'running')`,
        [position],
      );

    it('is the one in itself where its events are', async () => {
      await checkpointAt('0000000000000000005');
      await fresh.database.query('update es.head set position = 5');
      await migrate(fresh.database, migrations, silentLog);
      await expect(keepTo(await inEventStoreDb())).rejects.toThrow('belongs to the log in PostgreSQL');
      await expect(keepTo(await inPostgres())).resolves.toBeUndefined();
    });

    it('is the first one in EventStoreDB that it is started with when its events are elsewhere', async () => {
      await checkpointAt('00000000000000001338/00000000000000001338');
      await migrate(fresh.database, migrations, silentLog);
      await expect(keepTo(await inPostgres())).rejects.toThrow('belongs to a log in EventStoreDB');
      await keepTo(await inEventStoreDb());
      await expect(keepTo(await inEventStoreDb('paris'))).rejects.toThrow('name another one');
    });

    it('is any when it was never used', async () => {
      await checkpointAt('');
      await migrate(fresh.database, migrations, silentLog);
      await expect(keepTo(await inEventStoreDb())).resolves.toBeUndefined();
    });
  });
});

/** A place where no record begins. */
function inside(position: Position): Position {
  const number = String(BigInt(position.split('/')[0] ?? 0) - 1n).padStart(20, '0');
  return `${number}/${number}`;
}
