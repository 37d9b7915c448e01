import { readlinkSync, realpathSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

import type { Sql } from './database.js';

/** Of -20 to 19, the larger the later: whoever is to be answered comes first. */
export const LATER = 10;

/**
 * Lets the server's process behind a connection come later than all that somebody waits for, and for good. It is known by the folder
 * that it works in; on another machine, of another user's or behind a pooler of connections nothing happens.
 */
export async function stepBack(sql: Sql): Promise<void> {
  const { rows } = await sql.query<{ pid: number; folder: string }>(
    // Who may not see this setting gets no row.
    `select pg_backend_pid() pid, setting folder from pg_settings where name = 'data_directory'`,
  );
  for (const { pid, folder } of rows) {
    try {
      if (readlinkSync(`/proc/${pid}/cwd`) !== realpathSync(folder)) continue;
      setPriority(pid, LATER);
      // Linux may share the processors out among sessions first, and each process of PostgreSQL is one by itself.
      writeFileSync(`/proc/${pid}/autogroup`, String(LATER));
    } catch {
      // Not ours to say.
    }
  }
}
