import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { migrate } from '#platform/database/migrate';

import { freshDatabase } from '../kit/database.js';
import { eventually } from '../kit/eventually.js';
import { heardLog } from '../kit/heard-log.js';
import { silentLog } from '../kit/silent-log.js';

const FIRST = { id: '0001-first', sql: 'create table first (id int)' };

describe('bringing the schema up to date', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;

  beforeEach(async () => {
    fresh = await freshDatabase({ migrated: false });
  });

  afterEach(async () => {
    await fresh.drop();
  });

  const tables = async () =>
    (
      await fresh.database.query<{ name: string }>(
        `select tablename as name from pg_tables where schemaname = 'public' order by 1`,
      )
    ).map(({ name }) => name);

  it('does all steps that are missing, or none when one fails', async () => {
    const broken = { id: '0002-broken', sql: 'create table second (id no_such_type)' };
    await expect(migrate(fresh.database, [FIRST, broken], silentLog)).rejects.toThrow('no_such_type');
    expect(await tables()).toEqual([]);
    await migrate(fresh.database, [FIRST], silentLog);
    await migrate(fresh.database, [FIRST], silentLog);
    expect(await tables()).toEqual(['first', 'migration']);
  });

  it('says whom it waits for while somebody else is at it', async () => {
    const other = new pg.Client({ connectionString: fresh.url, application_name: 'another start' });
    await other.connect();
    await other.query(`begin; select pg_advisory_xact_lock(hashtext('oma migrations'))`);
    const { logger, heard } = heardLog();
    const migrating = migrate(fresh.database, [FIRST], logger);
    try {
      await eventually(() => {
        expect(heard).toContainEqual(
          expect.objectContaining({
            line: 'bringing the schema up to date waits for a lock that other connections to the database hold',
            blockers: [expect.objectContaining({ program: 'another start' })],
          }),
        );
      });
    } finally {
      await other.end();
    }
    await migrating;
    expect(await tables()).toEqual(['first', 'migration']);
  });
});
