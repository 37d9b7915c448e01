import { pause } from '#platform/clock/pause';
import type { Logger } from '#platform/logging/logger.port';

import type { Database, Sql } from './database.js';

const FIRST_LOOK_MS = 1000;
const MAX_LOOK_MS = 10_000;

/** Whoever keeps a connection waiting; accounts of others show no more than their name. */
const BLOCKERS = `select pid, usename as account, application_name as program, state, xact_start as since
  from pg_stat_activity where pid = any(pg_blocking_pids($1))`;

/** Runs work in one transaction. While a lock of others keeps it waiting, the log says again and again whose it is. */
export async function tellingWaits<Result>(
  database: Database,
  { what, logger }: { readonly what: string; readonly logger: Logger },
  work: (sql: Sql) => Promise<Result>,
): Promise<Result> {
  return database.transaction(async (sql) => {
    const { rows } = await sql.query<{ pid: number }>('select pg_backend_pid() as pid');
    const over = new AbortController();
    const telling = tell(
      database,
      rows[0]?.pid,
      (blockers) => {
        logger.warn({ blockers }, `${what} waits for a lock that other connections to the database hold`);
      },
      over.signal,
    );
    try {
      return await work(sql);
    } finally {
      over.abort();
      await telling;
    }
  });
}

async function tell(
  database: Database,
  pid: number | undefined,
  say: (blockers: readonly object[]) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(lookMs * 2, MAX_LOOK_MS)) {
    await pause(lookMs, signal);
    if (signal.aborted) return;
    // Who can't look has nothing to say; the work itself shows what is wrong.
    const blockers = await database.query(BLOCKERS, [pid]).catch(() => []);
    if (blockers.length > 0) say(blockers);
  }
}
