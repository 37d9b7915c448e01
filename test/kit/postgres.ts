import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { EmbeddedPostgres } from '#platform/database/embedded-postgres';

import { eventually } from './eventually.js';
import { silentLog } from './silent-log.js';

/** The address of the run's PostgreSQL: OMA_TEST_POSTGRES_URL, or a throw-away server that the first caller starts. */
export function testServerUrl(): Promise<string> {
  return (address ??= find());
}

let address: Promise<string> | undefined;

async function find(): Promise<string> {
  const given = process.env['OMA_TEST_POSTGRES_URL'];
  if (given !== undefined) return given;
  const folder = process.env['OMA_TEST_POSTGRES_DIR'];
  if (folder === undefined) throw new Error('OMA_TEST_POSTGRES_DIR is set by test/kit/postgres.start.ts');
  const urlFile = join(folder, 'url');
  if (!existsSync(urlFile) && firstIn(folder)) {
    const server = await EmbeddedPostgres.start({
      dataDir: folder,
      log: silentLog,
      settings: ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=300'],
    });
    writeFileSync(`${urlFile}.new`, server.url, { mode: 0o600 });
    renameSync(`${urlFile}.new`, urlFile);
  }
  return eventually(() => readFileSync(urlFile, 'utf8'), 60);
}

/** Jest's workers are processes of their own: one of them makes the folder, the others wait for its server. */
function firstIn(folder: string): boolean {
  try {
    mkdirSync(join(folder, 'starting'));
    return true;
  } catch {
    return false;
  }
}
