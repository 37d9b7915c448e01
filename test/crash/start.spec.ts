import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { EventStoreDbDouble } from '#lab/eventstoredb/double';

import { freshDatabase } from '../kit/database.js';
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

describe('starting while something is away or does not fit', () => {
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

  const start = (settings: Readonly<Record<string, string>>): Started => {
    const child = spawn(process.execPath, ['dist/src/main.js', '--ready-line'], {
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
  /** The address of the test's database behind a port where nothing listens yet, with a password that must not be told. */
  const behind = (port: number, password?: string) => {
    const url = new URL(fresh.url);
    url.searchParams.delete('host');
    url.host = `127.0.0.1:${port}`;
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
      await eventually(() => {
        expect(oma.said()).toContain('"ready":true');
      }, 30);
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
    await eventually(() => {
      expect(first.said()).toContain('"ready":true');
    }, 30);
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
});

/** Passes everything on to the test's database server. */
async function openDoor(port: number, url: string): Promise<{ close: () => Promise<void> }> {
  const { hostname, port: behindPort, searchParams } = new URL(url);
  const folder = searchParams.get('host');
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const number = behindPort === '' ? 5432 : Number(behindPort);
    const database =
      folder === null
        ? connect({ host: hostname, port: number })
        : connect({ path: join(folder, `.s.PGSQL.${number}`) });
    for (const [one, other] of [
      [client, database],
      [database, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
