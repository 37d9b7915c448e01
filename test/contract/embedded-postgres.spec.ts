import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { EmbeddedPostgres } from '#platform/database/embedded-postgres';
import { DataDirInUse, InstanceLock } from '#platform/database/instance-lock';
import { findBinaries } from '#platform/database/postgres-binaries';

import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  // A server that is killed cuts its connections, which is what some of these tests are about.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return rows;
  } finally {
    await client.end();
  }
}

/** A pid that belonged to a process and now to none. */
function deadPid(): number {
  return spawnSync('true').pid;
}

describe('the embedded PostgreSQL', () => {
  let dataDir: string;
  const started: EmbeddedPostgres[] = [];

  const start = async (folder = dataDir): Promise<EmbeddedPostgres> => {
    const postgres = await EmbeddedPostgres.start({ dataDir: folder, log: silentLog, settings: ['fsync=off'] });
    started.push(postgres);
    return postgres;
  };
  const postmasterPid = (): number =>
    Number(readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
  /** As after kill -9 of OMA: its lock names a dead process, and its database may still run. */
  const pretendOmaWasKilled = (): void => {
    writeFileSync(join(dataDir, 'oma.lock'), `${deadPid()} 1 0123456789ab`);
  };

  beforeEach(() => {
    dataDir = join(mkdtempSync(join(tmpdir(), 'oma-pg-')), 'data');
  });
  afterEach(async () => {
    for (const postgres of started.splice(0)) await postgres.stop();
    rmSync(join(dataDir, '..'), { recursive: true, force: true });
  });

  it('starts in an empty folder, closed to everybody without the password', async () => {
    const { url, adopted } = await start();
    expect(adopted).toBe(false);
    expect(await query(url, `select current_setting('server_encoding') as encoding`)).toEqual([{ encoding: 'UTF8' }]);
    expect(await query(url, `select datcollate from pg_database where datname = 'postgres'`)).toEqual([
      { datcollate: 'C' },
    ]);
    expect(await query(url, 'show data_checksums')).toEqual([{ data_checksums: 'on' }]);
    expect(await query(url, 'show listen_addresses')).toEqual([{ listen_addresses: '' }]);

    const wrong = new URL(url);
    wrong.password = 'guessed';
    await expect(query(wrong.href, 'select 1')).rejects.toThrow('password authentication failed');
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dataDir, 'postgres/password')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(dataDir, 'postgres/postgres.log'), 'utf8')).not.toContain(new URL(url).password);
  });

  it('finds all data at the second start', async () => {
    const first = await start();
    await query(first.url, 'create table kept as select 7 as n');
    const pid = postmasterPid();
    await first.stop();
    // Its parent may take a moment to let go of it.
    await eventually(() => {
      expect(existsSync(`/proc/${pid}`)).toBe(false);
    });
    const second = await start();
    expect(await query(second.url, 'select n from kept')).toEqual([{ n: 7 }]);
  });

  it('recovers when its server was killed', async () => {
    const first = await start();
    await query(first.url, 'create table kept as select 7 as n');
    process.kill(postmasterPid(), 'SIGKILL');
    pretendOmaWasKilled();
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await query(second.url, 'select n from kept')).toEqual([{ n: 7 }]);
  });

  it('adopts the server that outlived a killed OMA, and can stop it', async () => {
    await start();
    const pid = postmasterPid();
    pretendOmaWasKilled();
    const second = await start();
    expect(second.adopted).toBe(true);
    expect(postmasterPid()).toBe(pid);
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await second.stop();
    await expect(query(second.url, 'select 1')).rejects.toThrow();
  });

  it('is not misled by stale files that name a process of somebody else', async () => {
    const first = await start();
    const files = ['postgres/data/postmaster.pid', 'postgres/.s.PGSQL.5432.lock'].map((name) => join(dataDir, name));
    const left = files.map((file) => readFileSync(file, 'utf8').split('\n'));
    await first.stop();
    // Not this process: PostgreSQL forgives the pid of its parent.
    files.forEach((file, index) => {
      writeFileSync(file, [String(process.ppid), ...left[index]!.slice(1)].join('\n'));
    });
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('throws away what an interrupted first start left', async () => {
    const half = join(dataDir, 'postgres/data.new-0a1b2c3d');
    mkdirSync(join(half, 'base'), { recursive: true });
    writeFileSync(join(half, 'PG_VERSION'), '17\n');
    writeFileSync(join(dataDir, 'postgres/password'), 'half');
    pretendOmaWasKilled();
    const { url } = await start();
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(existsSync(half)).toBe(false);
  });

  it('listens on 127.0.0.1, still with the password, where the path is too long for a socket', async () => {
    const { url } = await start(join(dataDir, 'x'.repeat(100)));
    expect(await query(url, 'select host(inet_server_addr()) as host')).toEqual([{ host: '127.0.0.1' }]);
    const wrong = new URL(url);
    wrong.password = 'guessed';
    await expect(query(wrong.href, 'select 1')).rejects.toThrow('password authentication failed');
  });

  it('refuses a data folder that another OMA uses, naming its process', async () => {
    await start();
    await expect(start()).rejects.toThrow(DataDirInUse);
    await expect(start()).rejects.toThrow(`another OMA (process ${process.pid}) is using the data folder ${dataDir}`);
  });

  it('says what to do where there are no programs for the machine', async () => {
    await expect(findBinaries('aix', 'ppc')).rejects.toThrow(
      'there is no embedded PostgreSQL for aix on ppc (package @embedded-postgres/aix-ppc is not installed); ' +
        'set DATABASE_URL to a PostgreSQL server instead',
    );
  });

  it('keeps running when a connection is left open, and stops all the same', async () => {
    const postgres = await start();
    const client = new pg.Client({ connectionString: postgres.url });
    let cut = false;
    client.on('error', () => (cut = true));
    await client.connect();
    await postgres.stop();
    await eventually(() => {
      expect(cut).toBe(true);
    });
  });
});

describe('the lock of a data folder', () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'oma-lock-'));
  });
  afterEach(() => {
    rmSync(dataDir, { recursive: true, force: true });
  });
  const lockFile = (): string => join(dataDir, 'oma.lock');

  it('is held once and can be taken again after release', () => {
    const lock = InstanceLock.take(dataDir);
    expect(() => InstanceLock.take(dataDir)).toThrow(DataDirInUse);
    lock.release();
    InstanceLock.take(dataDir).release();
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('is taken over from a dead owner, also when its pid now belongs to another process', () => {
    for (const owner of [`${deadPid()} 1 aa`, `${process.pid} 1 aa`]) {
      writeFileSync(lockFile(), owner);
      InstanceLock.take(dataDir).release();
      expect(readdirSync(dataDir)).toEqual([]);
    }
  });

  it('is taken over from a successor that died while taking over', () => {
    const [first, second] = [`${deadPid()} 1 aa`, `${deadPid()} 2 bb`];
    writeFileSync(lockFile(), first);
    writeFileSync(`${lockFile()}.after-${first.replaceAll(' ', '-')}`, second);
    const lock = InstanceLock.take(dataDir);
    expect(() => InstanceLock.take(dataDir)).toThrow(DataDirInUse);
    lock.release();
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('leaves the lock of a successor alone at release', () => {
    const lock = InstanceLock.take(dataDir);
    writeFileSync(lockFile(), `${deadPid()} 1 aa`);
    const next = InstanceLock.take(dataDir);
    lock.release();
    expect(() => InstanceLock.take(dataDir)).toThrow(DataDirInUse);
    next.release();
  });
});
