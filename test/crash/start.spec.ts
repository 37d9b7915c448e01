import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { EventStoreDbDouble } from '#lab/eventstoredb/double';

import { ApiClient } from '../kit/api-client.js';
import { freshDatabase } from '../kit/database.js';
import { behindDoor, openDoor } from '../kit/door.js';
import { eventually } from '../kit/eventually.js';
import { ADMIN_PASSWORD } from '../kit/running-oma.js';

const PORT = 21_580;
const CANARY = 'canary-database-password';

/** A start as a supervisor sees it: what it says and how it ends. */
interface Started {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly exitCode: Promise<number | null>;
}

describe('starting and stopping while something is away or does not fit', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let dataDir: string;
  let started: Started[];

  beforeEach(async () => {
    fresh = await freshDatabase();
    dataDir = mkdtempSync(join(tmpdir(), 'oma-start-'));
    started = [];
  });

  afterEach(async () => {
    for (const { child, exitCode } of started) {
      if (child.exitCode === null) child.kill('SIGKILL');
      await exitCode;
    }
    await fresh.drop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  const start = (settings: Readonly<Record<string, string>>, flag = '--ready-line'): Started => {
    const child = spawn(process.execPath, ['dist/src/main.js', flag], {
      env: {
        PATH: process.env['PATH'],
        OMA_PORT: '0',
        OMA_DATA_DIR: dataDir,
        OMA_ADMIN_PASSWORD: ADMIN_PASSWORD,
        OMA_NBD_PORTS: '21560-21579',
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()));
    const exitCode = once(child, 'close').then(([code]) => code as number | null);
    const one = { child, said: () => said, exitCode };
    started.push(one);
    return one;
  };
  const serving = (one: Started) =>
    eventually(() => {
      expect(one.said()).toContain('"ready":true');
    }, 30);
  /** The address of the test's database behind a port where nothing listens yet, with a password that must not be told. */
  const behind = (port: number, password?: string) => {
    const url = new URL(behindDoor(port, fresh.url));
    if (password !== undefined) url.password = password;
    return url.href;
  };

  it('waits for a database that comes, says so, and serves', async () => {
    const oma = start({ DATABASE_URL: behind(PORT), OMA_START_WAIT_SECONDS: '60' });
    await eventually(() => {
      expect(oma.said()).toContain(`the database at 127.0.0.1:${PORT} does not answer; it is tried again`);
    });
    const door = await openDoor(PORT, fresh.url);
    try {
      await serving(oma);
      oma.child.kill('SIGTERM');
      expect(await oma.exitCode).toBe(0);
      expect(oma.said()).not.toContain(new URL(fresh.url).password);
    } finally {
      await door.close();
    }
  }, 90_000);

  it('gives up after the limit with 69, and does not tell the password', async () => {
    const begin = performance.now();
    const oma = start({ DATABASE_URL: behind(PORT + 1, CANARY), OMA_START_WAIT_SECONDS: '2' });
    expect(await oma.exitCode).toBe(69);
    expect(oma.said()).toContain(`the database at 127.0.0.1:${PORT + 1} did not answer for 2 s; OMA gives up`);
    expect(oma.said()).not.toContain(CANARY);
    expect(performance.now() - begin).toBeGreaterThan(2000);
  }, 60_000);

  it('ends at once with 78 when the database refuses the account, without its password', async () => {
    const door = await openDoor(PORT + 2, fresh.url);
    try {
      const oma = start({ DATABASE_URL: behind(PORT + 2, CANARY) });
      expect(await oma.exitCode).toBe(78);
      expect(oma.said()).toContain('refuses the account');
      expect(oma.said()).not.toContain(CANARY);
    } finally {
      await door.close();
    }
  }, 60_000);

  it('ends at once with 78 when a newer OMA wrote the database, and changes nothing in it', async () => {
    await fresh.database.query(`insert into migration (id) values ('9999-of-the-future')`);
    const oma = start({ DATABASE_URL: fresh.url });
    expect(await oma.exitCode).toBe(78);
    expect(oma.said()).toContain('the database was written by a newer OMA (unknown steps: 9999-of-the-future)');
    expect(oma.said()).not.toContain(new URL(fresh.url).password);
    expect(await fresh.database.query(`select from pg_tables where tablename like 'rm_%'`)).toEqual([]);
  }, 60_000);

  it('ends with 78 when the database belongs to another log, says what to do, and moves no checkpoint', async () => {
    const first = start({ DATABASE_URL: fresh.url });
    await serving(first);
    first.child.kill('SIGTERM');
    expect(await first.exitCode).toBe(0);
    const checkpoints = () => fresh.database.query('select name, position from projection order by name');
    const before = await checkpoints();
    const double = await EventStoreDbDouble.start();
    try {
      const other = start({ DATABASE_URL: fresh.url, EVENTSTORE_URL: double.url });
      expect(await other.exitCode).toBe(78);
      expect(other.said()).toContain(
        'the database belongs to the log in PostgreSQL, and the settings name a log in EventStoreDB; unset EVENTSTORE_URL',
      );
      expect(await checkpoints()).toEqual(before);
    } finally {
      double.stop();
    }
  }, 90_000);

  it('ends with 78 at settings that can not be used, and names each', async () => {
    const nowhere = join(dataDir, 'nowhere');
    const wrong: readonly (readonly [string, string])[] = [
      ['EVENTSTORE_URL', 'esdb://'],
      ['EVENTSTORE_URL', 'esdb://127.0.0.1:1?tls=maybe'],
      ['EVENTSTORE_URL', `esdb://127.0.0.1:1?tls=true&tlsCAFile=${nowhere}`],
      ['OMA_AGENTS_FILE', nowhere],
      ['OMA_DATA_DIR', '/dev/null/oma'],
      ['DATABASE_URL', 'mysql://127.0.0.1/oma'],
      ['OMA_PORT', ''],
    ];
    const ends = wrong.map(async ([name, value]) => {
      const own = { OMA_DATA_DIR: mkdtempSync(join(dataDir, 'one-')), OMA_MASTER_KEY: 'ab'.repeat(32) };
      const oma = start({ DATABASE_URL: fresh.url, ...own, [name]: value });
      return [await oma.exitCode, oma.said().includes(name)];
    });
    expect(await Promise.all(ends)).toEqual(wrong.map(() => [78, true]));
  }, 90_000);

  it('ends with 1 when its port is taken, and says which setting chooses another', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      const oma = start({ DATABASE_URL: fresh.url, OMA_PORT: String(port) });
      expect(await oma.exitCode).toBe(1);
      expect(oma.said()).toContain(`127.0.0.1:${port} is in use; stop what listens there, or set OMA_PORT`);
    } finally {
      other.close();
    }
  }, 60_000);

  it('ends with 78 at a flag that there is not, in one line', async () => {
    const oma = start({ DATABASE_URL: fresh.url }, '--redy-line');
    expect(await oma.exitCode).toBe(78);
    expect(oma.said()).toMatch(/^Unknown option '--redy-line'.*; there are --lab and --ready-line\n$/);
  });

  it('goes on although its log can not be written, as when that disk is full', async () => {
    const program = `import { pinoLogger } from './dist/src/platform/logging/pino.logger.js';
      const logger = pinoLogger('info');
      for (let line = 0; line < 3; line += 1) logger.info({}, 'a line');
      setTimeout(() => console.log('alive'), 50);`;
    const child = spawn('sh', ['-c', 'exec node --input-type=module 2> /dev/full'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.end(program);
    let said = '';
    child.stdout.on('data', (text: Buffer) => (said += text.toString()));
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(said).toBe('alive\n');
  });

  it.each(['the database', 'the event store'])(
    'ends with 0 when it is stopped while it waits for %s',
    async (what) => {
      const away = what === 'the database' ? 'DATABASE_URL' : 'EVENTSTORE_URL';
      const address =
        away === 'DATABASE_URL' ? 'postgres://oma@127.0.0.1:1/oma' : 'esdb://oma:secret@127.0.0.1:1?tls=false';
      const oma = start({ DATABASE_URL: fresh.url, [away]: address });
      await eventually(() => {
        expect(oma.said()).toContain(`${what} at 127.0.0.1:1 does not answer; it is tried again`);
      }, 30);
      oma.child.kill('SIGTERM');
      expect(await oma.exitCode).toBe(0);
      expect(oma.said()).not.toContain('secret');
    },
    60_000,
  );

  it('gives an event store up that stays away, after as long as was said, and says meanwhile that it waits', async () => {
    const begun = performance.now();
    const oma = start({
      DATABASE_URL: fresh.url,
      EVENTSTORE_URL: 'esdb://127.0.0.1:1?tls=false',
      OMA_START_WAIT_SECONDS: '5',
    });
    expect(await oma.exitCode).toBe(69);
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect(oma.said()).toContain('the event store at 127.0.0.1:1 did not answer for 5 s');
    expect(oma.said().match(/it is tried again/g)?.length).toBeGreaterThan(1);
  }, 60_000);

  it('ends with 78 when the log is replaced under it', async () => {
    const first = await EventStoreDbDouble.start();
    const oma = start({ DATABASE_URL: fresh.url, EVENTSTORE_URL: first.url });
    await serving(oma);
    const port = Number(new URL(first.url.replace('esdb:', 'http:')).port);
    first.stop();
    const second = await EventStoreDbDouble.start(port);
    try {
      expect(await oma.exitCode).toBe(78);
      expect(oma.said()).toContain('holds another log');
    } finally {
      second.stop();
    }
  }, 90_000);

  it('leaves no new key behind when the vault was made with another one', async () => {
    const first = start({ DATABASE_URL: fresh.url, OMA_MASTER_KEY: 'ab'.repeat(32) });
    await serving(first);
    first.child.kill('SIGTERM');
    expect(await first.exitCode).toBe(0);
    const refused = start({ DATABASE_URL: fresh.url });
    expect(await refused.exitCode).toBe(78);
    expect(refused.said()).toContain("the vault was made with a master key that isn't here");
    expect(existsSync(join(dataDir, 'master-key'))).toBe(false);
  }, 60_000);

  it('ends at once with 78 where TLS is asked for that the database does not speak', async () => {
    const door = await openDoor(PORT + 6, fresh.url);
    try {
      // Whoever takes it for a database that is away gives up after this, with another code.
      const oma = start({ DATABASE_URL: `${behind(PORT + 6)}?sslmode=require`, OMA_START_WAIT_SECONDS: '2' });
      expect(await oma.exitCode).toBe(78);
      expect(oma.said()).toContain('does not speak TLS, which DATABASE_URL asks for');
    } finally {
      await door.close();
    }
  }, 60_000);

  it('ends with 74 when it is stopped while the database says nothing, and says what it leaves', async () => {
    const door = await openDoor(PORT + 7, fresh.url);
    try {
      const oma = start({ DATABASE_URL: behind(PORT + 7) });
      await serving(oma);
      door.stall();
      const begun = performance.now();
      oma.child.kill('SIGTERM');
      expect(await oma.exitCode).toBe(74);
      expect(performance.now() - begun).toBeLessThan(30_000);
      expect(oma.said()).toContain('the database is away: no job could be ended; the next start takes them up');
    } finally {
      await door.close();
    }
  }, 90_000);

  it('ends with 0 and within seconds when rows that it builds wait for something without end', async () => {
    const oma = start({ DATABASE_URL: fresh.url });
    await serving(oma);
    const api = new ApiClient(/"url":"([^"]*)"/.exec(oma.said())?.[1] ?? '');
    await api.logIn('admin', ADMIN_PASSWORD);
    const [live] = await fresh.database.query<{ version: number }>(
      `select version from projection where name = 'audit' and live`,
    );
    await fresh.database.transaction(async (sql) => {
      // Whoever makes a table of this name waits until it is known whether there is one.
      await sql.query(`create table rm_audit_v${String(live?.version)}_g2 ()`);
      expect((await api.post('/projections/audit/rebuild', {}, { 'x-reason': 'a trial' })).status).toBe(202);
      await eventually(async () => {
        const builds = `select from pg_stat_activity where application_name = 'oma rebuild' and wait_event_type = 'Lock'
          and datname = current_database()`;
        expect(await fresh.database.query(builds)).toHaveLength(1);
      }, 20);
      oma.child.kill('SIGTERM');
      const begun = performance.now();
      expect(await oma.exitCode).toBe(0);
      expect(performance.now() - begun).toBeLessThan(20_000);
      await sql.query(`drop table rm_audit_v${String(live?.version)}_g2`);
    });
  }, 60_000);

  it('ends with 74 when a part of it does not come to an end in the time that was set', async () => {
    const oma = start({ DATABASE_URL: fresh.url, OMA_STOP_WITHIN_SECONDS: '3' });
    await serving(oma);
    await fresh.database.transaction(async (sql) => {
      await sql.query('lock table instance');
      oma.child.kill('SIGTERM');
      const begun = performance.now();
      expect(await oma.exitCode).toBe(74);
      expect(performance.now() - begun).toBeGreaterThan(2500);
    });
    expect(oma.said()).toContain('OMA did not come to an end in time and is left as it is');
  }, 60_000);
});
