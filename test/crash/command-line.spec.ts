import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { EventStoreDbDouble } from '#lab/eventstoredb/double';
import { Database } from '#platform/database/database';
import { EmbeddedPostgres } from '#platform/database/embedded-postgres';
import { migrate } from '#platform/database/migrate';
import { migrations } from '#platform/database/migrations';
import { keepToOwnLog } from '#platform/event-store/own-log';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { buildLock } from '#platform/projections/build-connection';
import { ProjectionRunner } from '#platform/projections/projection-runner';

import { projections } from '../../src/catalogue.js';
import { freshDatabase } from '../kit/database.js';
import { anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

describe('the command line', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: PostgresEventStore;
  let runner: ProjectionRunner;

  beforeAll(async () => {
    fresh = await freshDatabase();
    store = new PostgresEventStore(fresh.database, silentLog);
    await store.start();
    runner = new ProjectionRunner(fresh.database, store, projections, silentLog);
    await runner.start();
    const user = { userId: 'u-1', username: 'canary', role: 'viewer' };
    await store.append('user-1', 'no-stream', [anEvent('UserCreated', user)]);
    await runner.caughtUp();
  });

  afterAll(async () => {
    await runner.stop();
    await store.close();
    await fresh.drop();
  });

  const start = (settings: Readonly<Record<string, string>>, words: readonly string[]) => {
    const child = spawn(process.execPath, ['dist/src/cli.main.js', ...words], {
      env: { PATH: process.env['PATH'], ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
    return { child, said };
  };
  const omaWith = async (settings: Readonly<Record<string, string>>, ...words: string[]): Promise<Said> => {
    const { child, said } = start(settings, words);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, ...said };
  };
  const oma = (...words: string[]) => omaWith({ DATABASE_URL: fresh.url }, ...words);
  const omaJson = async (...words: string[]) => {
    const { code, out } = await oma(...words, '--json');
    return { code, ...(JSON.parse(out) as Record<string, Record<string, unknown>[]>) };
  };

  it('lists projections for people and for programs', async () => {
    const { code, out } = await oma('projections', 'list');
    expect(code).toBe(0);
    expect(out).toMatch(/^PROJECTION +VERSION +GENERATION +STATUS\napp_user +1 +1 +running\naudit /);
    const json = await omaJson('projections', 'status', 'app_user');
    expect(json).toMatchObject({ code: 0, projections: [{ name: 'app_user', status: 'running', building: null }] });
  });

  it('rebuilds beside a running OMA, and tells the log who asked', async () => {
    expect(await omaJson('projections', 'rebuild', 'app_user', 'audit', '--reason', 'a trial')).toMatchObject({
      code: 0,
      projections: [
        { name: 'app_user', generation: 2, building: null },
        { name: 'audit', generation: 2, building: null },
      ],
    });
    await runner.caughtUp();
    const asked = await fresh.database.query(
      `select stream, metadata ->> 'reason' as reason from es.event where type = 'ProjectionRebuildRequested' order by position`,
    );
    expect(asked).toEqual([
      { stream: 'projection-app_user', reason: 'a trial' },
      { stream: 'projection-audit', reason: 'a trial' },
    ]);
    expect(await fresh.database.query('select username from app_user')).toEqual([{ username: 'canary' }]);
  }, 60_000);

  it('verifies all, and ends with 1 when rows differ, without telling what is in them', async () => {
    expect((await oma('projections', 'verify', '--all')).code).toBe(0);
    await fresh.database.query(`update rm_app_user_v1_g2 set role = 'canary-role'`);
    const { code, out, err } = await oma('projections', 'verify', 'app_user', 'job');
    expect(code).toBe(1);
    expect(out).toMatch(/^app_user +differs +1 +0 +0 +1$/m);
    expect(out).toMatch(/^job +same +0 +0 +0 +0$/m);
    expect(out).toContain('app_user: different "u-1" (role)');
    expect(out + err).not.toContain('canary-role');
    expect((await oma('projections', 'rebuild', 'app_user')).code).toBe(0);
    expect((await oma('projections', 'verify', 'app_user')).code).toBe(0);
  }, 90_000);

  it('shows what stopped, ends with 1, and lets it try again or go on without its event', async () => {
    const event = anEvent('UserCreated', { userId: 'u-2', username: 'second', role: 'viewer' });
    await fresh.database.query(`alter table rm_app_user_v1_g3 add constraint trial check (user_id <> 'u-2')`);
    await store.append('user-2', 'no-stream', [event]);
    await runner.caughtUp(['audit']);
    await runner.caughtUp(['app_user']);
    const { code, out } = await oma('projections', 'status', 'app_user');
    expect(code).toBe(1);
    expect(out).toContain(`app_user stopped at the event ${event.id}: `);
    const verified = await oma('projections', 'verify', 'app_user', 'job');
    expect(verified.code).toBe(1);
    expect(verified.out).toMatch(/^app_user +stopped +1 +0 +0 +0\njob +same /m);
    expect(verified.out).toMatch(/^app_user: stopped at \d+, and .* the log goes on to \d+ with 1 more event for it/m);
    expect(await omaJson('projections', 'verify', 'app_user')).toMatchObject({
      code: 1,
      verifications: [{ status: 'done', different: 0, stopped: true, events_behind: 1 }],
    });
    expect((await oma('projections', 'skip', 'app_user', event.id)).code).toBe(2);
    const skipped = await omaJson('projections', 'skip', 'app_user', event.id, '--reason', 'a trial');
    expect(skipped).toMatchObject({ code: 0, projections: [{ status: 'running', skipped_events: 1 }] });
    expect((await oma('projections', 'status', 'app_user')).out).toContain('app_user: 1 skipped');
    expect((await oma('projections', 'retry', 'app_user')).code).toBe(1);
    await fresh.database.query('alter table rm_app_user_v1_g3 drop constraint trial');
    await runner.caughtUp();
    expect((await oma('projections', 'verify', 'app_user')).code).toBe(0);
  }, 60_000);

  it('ends with 4 where rows are right as far as they are, but nobody takes in what came since', async () => {
    await runner.stop();
    await store.append('user-3', 'no-stream', [
      anEvent('UserCreated', { userId: 'u-3', username: 'third', role: 'viewer' }),
    ]);
    const behind = await oma('projections', 'verify', 'app_user', 'job');
    runner = new ProjectionRunner(fresh.database, store, projections, silentLog);
    await runner.start();
    await runner.caughtUp();
    expect(behind.code).toBe(4);
    expect(behind.out).toMatch(/^app_user +behind .*\njob +same /m);
    expect(behind.out).toMatch(/^app_user: is only at \d+, and .* with 1 more event for it/m);
    expect((await oma('projections', 'verify', 'app_user', 'job')).code).toBe(0);
  }, 60_000);

  it('goes on with what another process that went away had begun', async () => {
    const [found] = await fresh.database.query<{ next: number }>(
      `select max(generation) + 1 as next from projection where name = 'app_user'`,
    );
    const generation = found?.next ?? 0;
    await runner.stop();
    const other = new pg.Client({ connectionString: fresh.url });
    await other.connect();
    const lock = buildLock({ name: 'app_user', version: 1, generation });
    await other.query('select pg_advisory_lock(hashtext($1), 0)', [lock]);
    const { child, said } = start({ DATABASE_URL: fresh.url }, ['projections', 'rebuild', 'app_user']);
    try {
      // By now it has found that another one is at it.
      await eventually(() => {
        expect(said.err).toContain('app_user: its rows are being built');
      });
    } finally {
      await other.end();
    }
    const [code] = (await once(child, 'close')) as [number | null];
    runner = new ProjectionRunner(fresh.database, store, projections, silentLog);
    await runner.start();
    expect({ code, out: said.out }).toEqual({
      code: 0,
      out: expect.stringMatching(new RegExp(`^app_user +1\\.${generation} +running `, 'm')),
    });
  }, 60_000);

  it('says how it is used, and that a projection is unknown, with 2', async () => {
    for (const words of [
      [],
      ['projections'],
      ['projections', 'rebuild'],
      ['projections', 'list', '--loud'],
      ['other'],
    ]) {
      const { code, err } = await oma(...words);
      expect({ words, code }).toEqual({ words, code: 2 });
      // The first line names what is wrong.
      expect(err).toMatch(/^oma: .+\n\nusage: oma projections/);
    }
    expect((await oma('projections', 'list', '--loud')).err).toMatch(/^oma: Unknown option '--loud'\n/);
    expect(await oma('projections', 'rebuild', 'nothing')).toEqual({
      code: 2,
      out: '',
      err: 'there is no projection nothing\n"oma projections list" names those that there are\n',
    });
    expect(await oma('--help')).toMatchObject({ code: 0, err: '' });
  }, 60_000);

  it('ends with 3 when a setting is wrong, or the database is away or not of its version', async () => {
    const away = await omaWith(
      { DATABASE_URL: 'postgres://canary:canary-pass@127.0.0.1:21589/oma' },
      'projections',
      'list',
    );
    expect(away).toMatchObject({ code: 3, err: expect.stringContaining('the database does not answer (') });
    expect(away.out + away.err).not.toContain('canary-pass');
    expect(await omaWith({ OMA_DATA_DIR: '/nonexistent/oma' }, 'projections', 'list')).toMatchObject({ code: 3 });
    const empty = mkdtempSync(join(tmpdir(), 'oma-cli-'));
    const nowhere = await omaWith({ OMA_DATA_DIR: empty }, 'projections', 'list');
    expect(nowhere).toMatchObject({ code: 3, err: expect.stringContaining('there is no OMA in') });
    // Who only looks makes no database where there was none.
    expect(readdirSync(empty)).toEqual([]);
    rmSync(empty, { recursive: true });
    for (const [name, value] of Object.entries({ DATABASE_URL: 'garbage', EVENTSTORE_URL: 'esdb://' })) {
      const wrong = await omaWith({ DATABASE_URL: fresh.url, [name]: value }, 'projections', 'list');
      expect(wrong).toMatchObject({ code: 3, err: expect.stringContaining(name) });
    }
    await fresh.database.query(`insert into migration (id) values ('9999-newer')`);
    const newer = await oma('projections', 'list');
    await fresh.database.query(`delete from migration where id = '9999-newer'`);
    expect(newer).toMatchObject({ code: 3, err: expect.stringContaining('written by a newer OMA') });
  }, 60_000);

  it('ends quietly when nobody reads on', async () => {
    const child = spawn('sh', ['-c', 'node dist/src/cli.main.js projections list | true'], {
      env: { PATH: process.env['PATH'], DATABASE_URL: fresh.url },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    await once(child, 'close');
    expect(err).toBe('');
  });

  it('ends with 3 when the rows were made from another log', async () => {
    await keepToOwnLog(fresh.database, store);
    const double = await EventStoreDbDouble.start();
    const settings = { DATABASE_URL: fresh.url, EVENTSTORE_URL: double.url };
    const refused = await omaWith(settings, 'projections', 'rebuild', 'app_user', '--reason', 'a trial');
    double.stop();
    expect(refused).toMatchObject({ code: 3, err: expect.stringContaining('belongs to the log in PostgreSQL') });
  });

  it('works with the embedded database, whether an OMA has it open or not', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'oma-cli-'));
    const server = await EmbeddedPostgres.start({ dataDir, log: silentLog, settings: ['fsync=off'] });
    const database = new Database(server.url);
    await migrate(database, migrations, silentLog);
    await database.close();
    expect(await omaWith({ OMA_DATA_DIR: dataDir }, 'projections', 'list')).toMatchObject({ code: 0 });
    await server.stop();
    expect(await omaWith({ OMA_DATA_DIR: dataDir }, 'projections', 'list')).toMatchObject({ code: 0 });
    const again = await EmbeddedPostgres.start({ dataDir, log: silentLog, settings: ['fsync=off'] });
    expect(again.adopted).toBe(false);
    await again.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);
});
