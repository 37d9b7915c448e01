import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Database } from '#platform/database/database';
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
