import type { Database } from '#platform/database/database';
import { Misfit } from '#platform/start/cannot-start';

import type { LogIdentity, OpenEventStore } from './event-store.port.js';

/**
 * Binds the database to the log at the first start, for good: its checkpoints are positions of that log, and mean nothing in any
 * other. Throws OtherLog when it belongs to another one.
 */
export async function keepToOwnLog(database: Database, store: OpenEventStore): Promise<void> {
  await requireOwnLog(database, store);
  const { kind, id } = await store.named();
  await database.query(
    `insert into own_log (kind, log_id) values ($1, $2)
       on conflict (one) do update set log_id = excluded.log_id where own_log.kind = $1 and own_log.log_id is null`,
    [kind, id],
  );
  // Of two that start at once on an empty database, with different settings, one was first.
  await requireOwnLog(database, store);
}

/** Changes nothing. Throws OtherLog when the database belongs to another log than this. */
export async function requireOwnLog(database: Database, store: OpenEventStore): Promise<void> {
  const [own] = await database.query<{ kind: LogIdentity['kind']; id: string | null }>(
    `select kind, log_id as id from own_log`,
  );
  if (own === undefined) return;
  const chosen = await store.identity();
  if (own.kind !== chosen.kind || (own.id !== null && own.id !== chosen.id)) throw new OtherLog(own.kind, chosen.kind);
}

/** The settings name another log than the one that the rows of this database were made from. */
class OtherLog extends Misfit {
  constructor(own: LogIdentity['kind'], chosen: LogIdentity['kind']) {
    super(
      `the database belongs to ${WORDS[own].its}, and the settings name ${own === chosen ? 'another one' : WORDS[chosen].its}; ` +
        `${WORDS[own].remedy}, or give OMA an empty database`,
    );
  }
}

const WORDS = {
  postgresql: { its: 'the log in PostgreSQL', remedy: 'unset EVENTSTORE_URL' },
  eventstoredb: {
    its: 'a log in EventStoreDB',
    remedy: 'set EVENTSTORE_URL and EVENTSTORE_NAMESPACE as they were',
  },
} as const;
