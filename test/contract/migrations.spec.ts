import { randomBytes } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { Database } from '#platform/database/database';
import { migrate } from '#platform/database/migrate';
import { migrations } from '#platform/database/migrations';

import { freshDatabase } from '../kit/database.js';

describe('the account that sets up the schema', () => {
  const account = `oma_account_${randomBytes(6).toString('hex')}`;
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let own: Database;

  beforeEach(async () => {
    fresh = await freshDatabase({ migrated: false });
    await fresh.database.query(`create role ${account} login password 'only-for-this-test'`);
    own = new Database(Object.assign(new URL(fresh.url), { username: account, password: 'only-for-this-test' }).href);
  });

  afterEach(async () => {
    await own.close();
    await fresh.drop();
    const server = await freshDatabase({ migrated: false });
    await server.database.query(`drop role ${account}`);
    await server.drop();
  });

  const name = () => new URL(fresh.url).pathname.slice(1);

  it('needs no other right than to own the database', async () => {
    await fresh.database.query(`alter database ${name()} owner to ${account}`);
    await migrate(own, migrations);
    expect(await own.query(`select id from migration`)).toHaveLength(migrations.length);
  });

  it('is told what it lacks when it owns nothing, and that another start will not help', async () => {
    const refused = await migrate(own, migrations).catch((error: unknown) => error);
    expect(refused).toMatchObject({ exitCode: 78, message: expect.stringContaining('must own its database') });
  });
});
