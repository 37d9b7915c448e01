import { createHash, randomBytes } from 'node:crypto';

import pg from 'pg';

import { Database } from '#platform/database/database';
import { migrate } from '#platform/database/migrate';
import { migrations } from '#platform/database/migrations';

import { testServerUrl } from './postgres.js';
import { silentLog } from './silent-log.js';

/** A database of its own, empty of rows, with all migrations unless `migrated` is false. `drop` closes and removes it. */
export async function freshDatabase(
  options: { readonly migrated?: boolean } = {},
): Promise<{ database: Database; url: string; drop: () => Promise<void> }> {
  const name = `oma_test_${randomBytes(6).toString('hex')}`;
  const template = options.migrated === false ? 'template0' : await (migratedTemplate ??= openTemplate());
  await onServer((client) => client.query(`create database ${name} template ${template}`));
  const url = await addressOf(name);
  const database = new Database(url);
  return {
    database,
    url,
    drop: async () => {
      await database.close();
      await onServer((client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
}

let migratedTemplate: Promise<string> | undefined;

/**
 * Migrations run once per server and schema: later databases are copies. The name comes from what the migrations say, and a
 * lock lets one of several workers make it.
 */
async function openTemplate(): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(migrations)).digest('hex').slice(0, 16);
  const name = `oma_template_${key}`;
  await onServer(async (client) => {
    await client.query(`select pg_advisory_lock(hashtext('oma test template'))`);
    const { rowCount } = await client.query(`select from pg_database where datname = $1`, [name]);
    if (rowCount === 1) return;
    // Complete only under its final name: a worker killed in the middle leaves a draft, which the next one replaces.
    const draft = `${name}_draft`;
    await client.query(`drop database if exists ${draft} with (force)`);
    await client.query(`create database ${draft} template template0`);
    const database = new Database(await addressOf(draft));
    await migrate(database, migrations, silentLog).finally(() => database.close());
    await client.query(`alter database ${draft} rename to ${name}`);
    // Nobody may connect: a database with a connection can't be copied.
    await client.query(`alter database ${name} allow_connections false`);
  });
  return name;
}

async function addressOf(name: string): Promise<string> {
  const url = new URL(await testServerUrl());
  url.pathname = `/${name}`;
  return url.href;
}

async function onServer<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: await testServerUrl() });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
