import { existsSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { Database, type Sql } from '#platform/database/database';
import { stepBack } from '#platform/database/step-back';
import { isTransient } from '#platform/database/transient';

import { freshDatabase } from '../kit/database.js';

describe('a connection that is lost', () => {
  let database: Database;
  let drop: () => Promise<void>;

  beforeEach(async () => {
    ({ database, drop } = await freshDatabase());
  });

  afterEach(async () => {
    await drop();
  });

  const cut = (pid: unknown) => database.query('select pg_terminate_backend($1)', [pid]);

  it('in the midst of a transaction fails that transaction, which may be tried again, and nothing else', async () => {
    const failed = database.transaction(async (sql) => {
      const { rows } = await sql.query<{ pid: number }>('select pg_backend_pid() as pid');
      await cut(rows[0]?.pid);
      // The end has come, although nothing was asked.
      await new Promise((resolve) => setImmediate(resolve));
      await sql.query('select 1');
    });
    const error: unknown = await failed.catch((thrown: unknown) => thrown);
    expect(isTransient(error)).toBe(true);
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('under way fails what was asked, and nothing else', async () => {
    const failed = database.transaction(async (sql) => {
      const { rows } = await sql.query<{ pid: number }>('select pg_backend_pid() as pid');
      await Promise.all([sql.query('select pg_sleep(20)'), cut(rows[0]?.pid)]);
    });
    const error: unknown = await failed.catch((thrown: unknown) => thrown);
    expect(isTransient(error)).toBe(true);
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('an error of the database', () => {
  it.each(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', '57P01', '08006'])(
    'that says %s may pass',
    (code) => {
      expect(isTransient(Object.assign(new Error('away'), { code }))).toBe(true);
    },
  );

  it.each(['23505', '22P02', '42P01'])('that says %s stays', (code) => {
    expect(isTransient(Object.assign(new Error('wrong'), { code }))).toBe(false);
  });
});

describe('a connection that steps back', () => {
  const processOf = async (sql: Pick<Database, 'query'>) => {
    const [row] = await sql.query<{ pid: number }>('select pg_backend_pid() as pid');
    return row?.pid ?? 0;
  };

  it("has a process of the server's that comes later than others, for whom nothing changes", async () => {
    const { url, database, drop } = await freshDatabase();
    const background = new Database(url, stepBack);
    const [behind, other] = [await processOf(background), await processOf(database)];
    expect(getPriority(behind)).toBe(10);
    expect(getPriority(other)).toBeLessThan(10);
    // Where Linux shares the processors out among sessions first.
    if (existsSync('/proc/self/autogroup')) {
      const groups = [behind, other].map((pid) => readFileSync(`/proc/${pid}/autogroup`, 'utf8').split(' nice ')[1]);
      expect(groups).toEqual(['10\n', '0\n']);
    }
    await background.close();
    await drop();
  });

  it('changes nothing about a process that only has the number of the server’s', async () => {
    const elsewhere = { query: () => Promise.resolve({ rows: [{ pid: process.pid, folder: '/' }] }) };
    const before = getPriority();
    await stepBack(elsewhere as unknown as Sql);
    expect(getPriority()).toBe(before);
  });
});
