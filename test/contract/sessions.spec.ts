import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import { PostgresSessions } from '#platform/auth/postgres.sessions';
import { openReadModels } from '#platform/database/read-models';
import { Views } from '#platform/database/views';

import { freshDatabase } from '../kit/database.js';
import { eventually } from '../kit/eventually.js';

const MORE_THAN_CONNECTIONS = 12;

describe('sessions', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let source: DataSource;
  let views: Views;
  let sessions: PostgresSessions;

  beforeEach(async () => {
    fresh = await freshDatabase();
    await fresh.database.query(`create table slow ()`);
    await fresh.database.query(`create view app_user as select 'u-1' user_id, 'ada' username, 'admin' as role`);
    source = await openReadModels(fresh.database, []);
    views = new Views(source);
    sessions = new PostgresSessions(fresh.database, views);
  });

  afterEach(async () => {
    await source.destroy();
    await fresh.drop();
  });

  it('are those that were opened, until they are revoked', async () => {
    const { token } = await sessions.open('u-1');
    expect(await sessions.principalOf(token)).toEqual({ userId: 'u-1', username: 'ada', role: 'admin' });
    expect(await sessions.principalOf(`${token}x`)).toBeNull();
    await sessions.revoke(token);
    expect(await sessions.principalOf(token)).toBeNull();
  });

  it('are found while slow readers have all the connections that rows are read by', async () => {
    const { token } = await sessions.open('u-1');
    let reading: Promise<unknown> = Promise.resolve();
    await fresh.database.transaction(async (sql) => {
      await sql.query('lock table slow');
      reading = Promise.all(Array.from({ length: MORE_THAN_CONNECTIONS }, () => views.select('select from slow')));
      await eventually(() => {
        expect(views.isBusy).toBe(true);
        return Promise.resolve();
      });
      expect((await sessions.principalOf(token))?.username).toBe('ada');
    });
    await reading;
    await eventually(() => {
      expect(views.isBusy).toBe(false);
      return Promise.resolve();
    });
    expect((await sessions.principalOf(token))?.username).toBe('ada');
  });
});
