import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { PostgresAccount } from './postgres-account.js';
import { EmbeddedPostgresUnavailable } from './postgres-binaries.js';

/** The files of the database and the password of its only user. */
export interface Cluster {
  readonly data: string;
  readonly password: string;
}

/** The only database user, and the owner of the database. */
export const databaseUser = 'oma';

const draftPrefix = 'data.new-';

/**
 * Opens the cluster in the account's home, making it at the first start. A cluster is made in a folder of its own and
 * renamed when it is complete, so what an interrupted start left is thrown away and never opened.
 */
export async function openCluster(account: PostgresAccount, settings: readonly string[]): Promise<Cluster> {
  const data = join(account.home, 'data');
  const passwordFile = join(account.home, 'password');
  for (const name of readdirSync(account.home).filter((entry) => entry.startsWith(draftPrefix))) {
    await rm(join(account.home, name), { recursive: true, force: true, maxRetries: 5 });
  }
  if (!existsSync(data)) await initialise(account, data, passwordFile, settings);
  if (!existsSync(passwordFile)) {
    throw new EmbeddedPostgresUnavailable(
      `the password file ${passwordFile} is gone; put it back from a backup, the database can't be opened without it`,
    );
  }
  return { data, password: readFileSync(passwordFile, 'utf8') };
}

async function initialise(
  account: PostgresAccount,
  data: string,
  passwordFile: string,
  settings: readonly string[],
): Promise<void> {
  // No data, no use for an older password: a start that was interrupted after writing it begins again.
  await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600, flush: true });
  account.own(passwordFile);
  const draft = join(account.home, `${draftPrefix}${randomBytes(4).toString('hex')}`);
  const options = ['--encoding=UTF8', '--locale=C', '--data-checksums', '--auth=scram-sha-256', '--no-instructions'];
  const [program, args] = account.command(account.binaries.initdb, [
    ...options,
    `--username=${databaseUser}`,
    `--pwfile=${passwordFile}`,
    `--pgdata=${draft}`,
    ...(settings.includes('fsync=off') ? ['--no-sync'] : []),
  ]);
  const { exitCode, output } = await run(program, args, account.home);
  if (exitCode !== 0) {
    await rm(draft, { recursive: true, force: true });
    throw new EmbeddedPostgresUnavailable(`PostgreSQL could not make its data folder in ${account.home}:\n${output}`);
  }
  renameSync(draft, data);
  const folder = openSync(account.home, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

// node:child_process and not the ProcessRunner: the database is opened before anything that has a runner exists.
function run(program: string, args: string[], cwd: string): Promise<{ exitCode: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: plainEnvironment() });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-4000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', reject);
    child.once('close', (exitCode) => {
      resolve({ exitCode, output });
    });
  });
}

/** PostgreSQL's own variables (PGDATA, PGPORT …) and the user's language must not steer the embedded server. */
export function plainEnvironment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}
