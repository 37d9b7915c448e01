import { setTimeout as pause } from 'node:timers/promises';

import type { Database } from '#platform/database/database';
import { codeOf } from '#platform/database/error-code';
import { tellingWaits } from '#platform/database/lock-waits';
import type { Logger } from '#platform/logging/logger.port';

import { closeTheRest } from './close-the-rest.js';
import { REPORTING_LOCK } from './reporting-lock.js';

/** So long a reader's transaction may keep a view waiting, and the view those who read or swap behind it. */
const LOCK_TIMEOUT = '2s';
const LOCK_NOT_AVAILABLE = '55P03';
const RETRY_MS = 1000;
/** May read the views and nothing else. */
const READERS = 'oma_reporting';

/** A view for reports. Its name holds its version: columns are only ever added, at the end, and keep their meaning. */
export interface ReportingView {
  readonly name: string;
  readonly about: string;
  /** In order: what each shows, with the unit in its name. */
  readonly columns: readonly { readonly name: string; readonly sql: string; readonly about: string }[];
  /** Where the rows come from: the clauses behind the columns. */
  readonly from: string;
  /** Common table expressions in front of it. */
  readonly with?: string;
}

/**
 * Offers these views in the schema `reporting`. Repeatable, and safe with several instances starting at once. A view that changed
 * can't be made while a transaction is open that read it: it is tried again until there is none, and the log says who that is.
 */
export async function offerReporting(
  database: Database,
  views: readonly ReportingView[],
  logger: Logger,
): Promise<void> {
  for (;;) {
    try {
      await offerNow(database, views, logger);
      await tellWithoutReaders(database, logger);
      return;
    } catch (error) {
      if (codeOf(error) !== LOCK_NOT_AVAILABLE) throw error;
      logger.warn(
        { retryMs: RETRY_MS },
        'the views for reports are being read and could not be made; it is tried again',
      );
      await pause(RETRY_MS);
    }
  }
}

async function offerNow(database: Database, views: readonly ReportingView[], logger: Logger): Promise<void> {
  const rows = views.map((view) => ({
    name: view.name,
    definition: definitionOf(view),
    about: view.about,
    columns: view.columns.map(({ name, about }) => ({ name, about })),
  }));
  await tellingWaits(database, { what: 'making the views for reports', logger }, async (sql) => {
    await sql.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    await sql.query(REPORTING_LOCK);
    await sql.query(
      `insert into reporting_view as r (name, definition, about, columns)
       select name, definition, about, columns
         from jsonb_to_recordset($1) as x(name text, definition text, about text, columns jsonb)
       on conflict (name) do update
          set definition = excluded.definition, about = excluded.about, columns = excluded.columns, changed = true
        where (r.definition, r.about, r.columns) is distinct from (excluded.definition, excluded.about, excluded.columns)`,
      [JSON.stringify(rows)],
    );
    await sql.query('select remake_reporting()');
    await closeTheRest(sql);
  });
}

/** The role for readers is made with the schema, where OMA's account may; who would use it is told here rather than refused there. */
async function tellWithoutReaders(database: Database, logger: Logger): Promise<void> {
  const readers = await database.query(
    `select from pg_namespace n, aclexplode(n.nspacl) a
      where n.nspname = 'reporting' and a.grantee <> n.nspowner and a.privilege_type = 'USAGE'`,
  );
  if (readers.length > 0) return;
  logger.warn(
    {},
    `nobody but OMA's own account may read the views for reports: the role ${READERS} is not there. Whoever wants reports has ` +
      `an administrator of the database run "create role ${READERS} nologin" and starts OMA again; nothing else needs it`,
  );
}

function definitionOf({ columns, from, with: before = '' }: ReportingView): string {
  const list = columns.map(({ name, sql }) => `${sql} as "${name}"`).join(',\n       ');
  return `${before} select ${list}\n  ${from}`;
}
