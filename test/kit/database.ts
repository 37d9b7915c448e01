import { randomBytes } from 'node:crypto';

import pg from 'pg';

import { Database } from '#platform/database/database';
import { migrate } from '#platform/database/migrate';
import { migrations } from '#platform/database/migrations';

function serverUrl(): string {
  const url = process.env['OMA_TEST_POSTGRES_URL'];
  if (url === undefined) throw new Error('OMA_TEST_POSTGRES_URL is set by test/kit/postgres.start.ts');
  return url;
}

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl() });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** A database of its own, empty of rows, with all migrations unless `migrated` is false. `drop` closes and removes it. */
export async function freshDatabase(
  options: { readonly migrated?: boolean } = {},
): Promise<{ database: Database; url: string; drop: () => Promise<void> }> {
  const name = `oma_test_${randomBytes(6).toString('hex')}`;
  await onServer(`create database ${name}`);
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  const database = new Database(url.href);
  if (options.migrated !== false) await migrate(database, migrations);
  return {
    database,
    url: url.href,
    drop: async () => {
      await database.close();
      await onServer(`drop database if exists ${name} with (force)`);
    },
  };
}
