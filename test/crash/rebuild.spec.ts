import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { ProjectionRunner } from '#platform/projections/projection-runner';

import { projections } from '../../src/catalogue.js';
import { freshDatabase } from '../kit/database.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

const EVENTS = 80_000;

describe('a rebuild whose process is killed', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: PostgresEventStore;
  let runners: ProjectionRunner[];

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new PostgresEventStore(fresh.database, silentLog);
    await store.start();
    runners = [];
    // As many at once as no writer could append in the time of a test; the log's own rules hold for them too.
    await fresh.database.query(
      `insert into es.event
         select n, 'user-' || n, 0, gen_random_uuid(), 'UserCreated',
                jsonb_build_object('userId', 'u-' || n, 'username', 'user ' || n, 'role', 'viewer'),
                '{"actor":{"kind":"system","id":"trial"},"correlationId":"c","causationId":"c","schemaVersion":1}', now()
           from generate_series(1, $1::bigint) n`,
      [EVENTS],
    );
    await fresh.database.query('update es.head set position = $1', [EVENTS]);
  }, 60_000);

  afterEach(async () => {
    await Promise.all(runners.map((runner) => runner.stop()));
    await store.close();
    await fresh.drop();
  });

  const start = async () => {
    const runner = new ProjectionRunner(fresh.database, store, projections, silentLog);
    runners.push(runner);
    await runner.start();
    return runner;
  };
  const building = async (name: string) => {
    const [row] = await fresh.database.query<{ events: string; status: string }>(
      'select events, status from projection where name = $1 and generation = 2',
      [name],
    );
    return row;
  };

  it.each(['audit', 'app_user'])(
    'is gone on with, where it was, by the next OMA (%s)',
    async (name) => {
      const before = await start();
      await before.caughtUp(['audit', 'app_user']);
      await before.stop();
      const rows = async () =>
        fresh.database.query(`select md5(string_agg(r::text, '' order by r::text)) from ${name} r`);
      const whole = await rows();
      const child = spawn(process.execPath, ['dist/src/cli.main.js', 'projections', 'rebuild', name], {
        env: { PATH: process.env['PATH'], DATABASE_URL: fresh.url },
        stdio: 'ignore',
      });
      await eventually(async () => {
        expect(Number((await building(name))?.events)).toBeGreaterThan(0);
      }, 30);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const left = await building(name);
      expect(left?.status).toBe('building');
      expect(Number(left?.events)).toBeLessThan(EVENTS);
      expect(await rows()).toEqual(whole);
      await start();
      await eventually(async () => {
        expect((await building(name))?.status).toBe('running');
      }, 60);
      expect(Number((await building(name))?.events)).toBeLessThanOrEqual(EVENTS + 1);
      const asked = await fresh.database.query(`select from es.event where type = 'ProjectionRebuildRequested'`);
      expect(asked).toHaveLength(1);
      await fresh.database.query(`delete from ${name} where ${name === 'audit' ? `type <> 'UserCreated'` : 'false'}`);
      expect(await rows()).toEqual(whole);
    },
    180_000,
  );
});
