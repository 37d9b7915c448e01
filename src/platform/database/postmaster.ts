import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import pg from 'pg';

import type { PostgresAccount } from './postgres-account.js';
import { EmbeddedPostgresUnavailable } from './postgres-binaries.js';
import { type Cluster, databaseUser, plainEnvironment } from './postgres-cluster.js';
import { processesIn, signal, startTicksOf } from './process-table.js';

/** Where a server listens: a socket's folder, or an address of this machine. */
export interface Listening {
  readonly host: string;
  readonly port: number;
}

/** A running PostgreSQL server process. */
export interface Postmaster {
  readonly pid: number;
  readonly startTicks: number;
  readonly listening: Listening;
}

const startSeconds = 120;
const adoptSeconds = 20;
const largestLogBytes = 10_000_000;
/** A socket's whole path must fit into 107 bytes on Linux; some of that is left for other systems' smaller limits. */
const longestSocketPathBytes = 99;

export function connectionUrl(cluster: Cluster, { host, port }: Listening): string {
  const url = new URL(`postgres://${databaseUser}:${cluster.password}@localhost:${port}/postgres`);
  if (host.startsWith('/')) url.searchParams.set('host', host);
  else url.hostname = host;
  return url.href;
}

/**
 * The server that a killed OMA left running on these files, when it still answers. Everything else of it, a server that
 * doesn't answer, processes of a server that was killed, a stale postmaster.pid, is ended and cleared away.
 */
export async function adoptPostmaster(account: PostgresAccount, cluster: Cluster): Promise<Postmaster | undefined> {
  const pidFile = join(cluster.data, 'postmaster.pid');
  const left = readPidFile(pidFile);
  const here = realpathSync(cluster.data);
  if (left && processesIn(here).includes(left.pid)) {
    const startTicks = startTicksOf(left.pid);
    if (startTicks !== undefined) {
      const found = { ...left, startTicks };
      if (await answers(cluster, found, adoptSeconds)) return found;
      await endPostmaster(found, 'SIGQUIT', 5);
    }
  }
  // Backends end by themselves when their server is gone; starting beside one would destroy data.
  if (!(await within(10, () => processesIn(here).length === 0))) {
    for (const pid of processesIn(here)) signal(pid, 'SIGKILL');
    await within(10, () => processesIn(here).length === 0);
  }
  // PostgreSQL takes the pid in these files for alive when it was given to another process, or nobody reaped the dead one
  // (a container without an init), and would refuse to start for ever. Here it is known that nothing of it runs.
  rmSync(pidFile, { force: true });
  for (const name of readdirSync(account.home).filter((entry) => entry.startsWith('.s.PGSQL.'))) {
    rmSync(join(account.home, name), { force: true });
  }
  return undefined;
}

/** Starts the server in a session of its own, so that a terminal's Ctrl-C reaches OMA alone, and waits until it answers. */
export async function startPostmaster(
  account: PostgresAccount,
  cluster: Cluster,
  settings: readonly string[],
): Promise<Postmaster> {
  const logFile = join(account.home, 'postgres.log');
  const listening = await chooseListening(account.home);
  const bySocket = listening.host.startsWith('/');
  const options = [
    `port=${listening.port}`,
    `listen_addresses=${bySocket ? '' : listening.host}`,
    `unix_socket_directories=${bySocket ? listening.host : ''}`,
    'unix_socket_permissions=0700',
    'log_timezone=UTC',
    'timezone=UTC',
    // Rows and statements stay out of the log: they may hold what the vault keeps.
    'log_error_verbosity=terse',
    'log_min_error_statement=panic',
    ...settings,
  ];
  const [program, args] = account.command(account.binaries.postgres, [
    '-D',
    cluster.data,
    ...options.flatMap((option) => ['-c', option]),
  ]);
  const log = openSync(logFile, fileSize(logFile) > largestLogBytes ? 'w' : 'a', 0o600);
  const begin = fileSize(logFile);
  // node:child_process and not the ProcessRunner: the database is opened before anything that has a runner exists.
  const child = spawn(program, args, {
    cwd: account.home,
    detached: true,
    stdio: ['ignore', log, log],
    env: plainEnvironment(),
  });
  closeSync(log);
  const ended = new Promise<never>((_, reject) => {
    const fail = (): void => {
      const said = readFileSync(logFile, 'utf8').slice(begin).slice(-2000);
      reject(new EmbeddedPostgresUnavailable(`PostgreSQL did not start; its log ${logFile} says:\n${said}`));
    };
    child.once('error', fail);
    child.once('exit', fail);
  });
  ended.catch(() => undefined);
  child.unref();
  const started = { pid: child.pid ?? 0, startTicks: startTicksOf(child.pid ?? 0) ?? 0, listening };
  const ready = await Promise.race([answers(cluster, started, startSeconds), ended]).finally(() =>
    child.removeAllListeners(),
  );
  if (ready) return started;
  await endPostmaster(started, 'SIGQUIT', 5);
  throw new EmbeddedPostgresUnavailable(`PostgreSQL did not answer within ${startSeconds} s; see ${logFile}`);
}

/** Asks the server to end (SIGINT: rolls back and writes its checkpoint; SIGQUIT: at once) and waits until it is gone. */
export async function endPostmaster(
  postmaster: Postmaster,
  how: 'SIGINT' | 'SIGQUIT',
  graceSeconds: number,
): Promise<void> {
  const gone = (): boolean => startTicksOf(postmaster.pid) !== postmaster.startTicks;
  for (const name of [how, 'SIGQUIT', 'SIGKILL'] as const) {
    if (gone()) return;
    signal(postmaster.pid, name);
    if (await within(graceSeconds, gone)) return;
  }
}

async function answers(cluster: Cluster, postmaster: Postmaster, seconds: number): Promise<boolean> {
  return within(seconds, async () => {
    const client = new pg.Client({
      connectionString: connectionUrl(cluster, postmaster.listening),
      connectionTimeoutMillis: 5000,
      query_timeout: 5000,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('select 1');
      return true;
    } catch {
      if (startTicksOf(postmaster.pid) !== postmaster.startTicks) throw new Error('the server ended');
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }).catch(() => false);
}

async function chooseListening(home: string): Promise<Listening> {
  const port = 5432;
  if (Buffer.byteLength(join(home, `.s.PGSQL.${port}`)) <= longestSocketPathBytes) return { host: home, port };
  return { host: '127.0.0.1', port: await freePort() };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address ? address.port : 0);
      });
    });
  });
}

/** Where the server on these files listens, by what it wrote down itself. */
export function runningListening(data: string): Listening | undefined {
  return readPidFile(join(data, 'postmaster.pid'))?.listening;
}

/** The lines of postmaster.pid: pid, data folder, start time, port, socket folder, address, shared memory, status. */
function readPidFile(file: string): { pid: number; listening: Listening } | undefined {
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const pid = Number(lines[0]);
  const host = lines[4]?.trim() === '' ? lines[5]?.trim() : lines[4]?.trim();
  return Number.isInteger(pid) && pid > 0
    ? { pid, listening: { host: host ?? '', port: Number(lines[3]) } }
    : undefined;
}

async function within(seconds: number, holds: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    if (await holds()) return true;
    if (Date.now() >= deadline) return false;
    await pause(25);
  }
}

function fileSize(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
