import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { ProjectionRunner } from '#platform/projections/projection-runner';
import { registered } from '#platform/projections/registry';
import { cancelRebuild, requestRebuild } from '#platform/projections/requests';
import type { AnyProjection } from '#platform/projections/tables';

import { Counting, listing } from '../kit/counting.js';
import { freshDatabase } from '../kit/database.js';
import { all, anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { seededRandom } from '../kit/seeded-random.js';
import { silentLog } from '../kit/silent-log.js';

const ROUNDS = 60;
const SWAPS = 5;
const NAMES = 40;

describe('rebuilds that are asked for, cancelled and cut off at any moment, by two instances while others write', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: PostgresEventStore;
  let instances: ProjectionRunner[];
  const projections: readonly AnyProjection[] = [new Counting().version(1), listing];

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new PostgresEventStore(fresh.database, silentLog);
    await store.start();
    instances = [await startInstance(), await startInstance()];
  });

  afterEach(async () => {
    await Promise.all(instances.map((instance) => instance.stop()));
    await store.close();
    await fresh.drop();
  });

  async function startInstance(): Promise<ProjectionRunner> {
    const instance = new ProjectionRunner(fresh.database, store, projections, silentLog);
    await instance.start();
    return instance;
  }

  const write = async (signal: AbortSignal, random: () => number) => {
    for (let number = 0; !signal.aborted; number += 1) {
      const events = Array.from({ length: 1 + Math.floor(random() * 20) }, () => {
        const name = `n${Math.floor(random() * NAMES)}`;
        return random() < 0.05 ? anEvent('Forgotten', { name }) : anEvent('Added', { name, by: 1 });
      });
      await store.append(`w-${number}`, 'no-stream', events);
    }
  };

  const cutOffBuilders = () =>
    fresh.database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'oma rebuild'`,
    );

  async function cancelWhatIsBuilt(projection: AnyProjection): Promise<void> {
    const condition = `name = $1 and status = 'building'`;
    const [building] = await registered(fresh.database.pool, condition, [projection.name]);
    if (building !== undefined) await cancelRebuild(fresh.database, projection, building);
  }

  /** One of them at random, in the middle of whatever the others do. */
  async function disturb(random: () => number): Promise<void> {
    const projection = projections[Math.floor(random() * projections.length)] ?? listing;
    const what = random();
    if (what < 0.5) await requestRebuild(fresh.database, projection);
    else if (what < 0.75) await cancelWhatIsBuilt(projection);
    else if (what < 0.9) await cutOffBuilders();
    else {
      const number = Math.floor(random() * instances.length);
      await instances[number]?.stop();
      instances[number] = await startInstance();
    }
    for (const instance of instances) instance.lookAgain();
  }

  const swaps = async () => (await fresh.database.query(`select from projection where status = 'retired'`)).length;

  /** What the log says, added up without any of the machinery. */
  async function expected() {
    const sums = new Map<string, number>();
    const events = await all(store.readAll());
    for (const { type, data } of events) {
      const { name, by = 0 } = data as { name: string; by?: number };
      if (type === 'Forgotten') sums.delete(name);
      else sums.set(name, (sums.get(name) ?? 0) + by);
    }
    return {
      counter: [...sums].map(([name, sum]) => ({ name, sum: String(sum) })).sort((a, b) => (a.name < b.name ? -1 : 1)),
      listing: events.map(({ id, position }) => ({ id, position })),
    };
  }

  it('end with the rows that the log gives, and leave nothing behind', async () => {
    const random = seededRandom(1911);
    const over = new AbortController();
    const writing = write(over.signal, random);
    // Until enough of them came to their end all the same: on a busy machine most are disturbed before.
    for (let round = 0; round < ROUNDS || (await swaps()) < SWAPS; round += 1) {
      await disturb(random);
      await pause(random() * (round < ROUNDS ? 150 : 1000));
    }
    over.abort();
    await writing;
    await eventually(async () => {
      const open = await fresh.database.query(
        `select name from projection where (not live and status in ('building', 'stopped')) or status = 'cancelled'`,
      );
      expect(open).toEqual([]);
    }, 30);
    await Promise.all(instances.map((instance) => instance.caughtUp()));
    const { counter, listing: listed } = await expected();
    expect(await fresh.database.query('select name, sum from counter order by name collate "C"')).toEqual(counter);
    expect(await fresh.database.query('select id, position from listing order by position')).toEqual(listed);
    const live = await fresh.database.query(`select name, status from projection where live order by name`);
    expect(live).toEqual([
      { name: 'counter', status: 'running' },
      { name: 'listing', status: 'running' },
    ]);
    const tables = await fresh.database.query<{ count: string }>(
      `select count(*) from pg_tables where tablename like 'rm\\_%'`,
    );
    const generations = await fresh.database.query<{ count: string }>('select count(*) from projection');
    expect(tables).toEqual(generations);
  }, 120_000);
});
