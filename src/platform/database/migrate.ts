import { Misfit } from '#platform/start/cannot-start';

import type { Database } from './database.js';
import { codeOf } from './error-code.js';
import type { Migration } from './migration.js';

const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Brings the schema up to date, each step in a transaction of its own, safe with several instances starting at once.
 * Throws Misfit when the database knows a step that this program doesn't, because a newer OMA wrote it, and when the account
 * may not do what a step does.
 */
export async function migrate(database: Database, steps: readonly Migration[]): Promise<void> {
  try {
    await bringUpToDate(database, steps);
  } catch (error) {
    throw codeOf(error) === INSUFFICIENT_PRIVILEGE ? new MissingRight(error) : error;
  }
}

async function bringUpToDate(database: Database, steps: readonly Migration[]): Promise<void> {
  await database.transaction(async (sql) => {
    await sql.query(`select pg_advisory_xact_lock(hashtext('oma migrations'))`);
    await sql.query(
      `create table if not exists migration (id text primary key, applied_at timestamptz not null default now())`,
    );
    const { rows } = await sql.query<{ id: string }>(`select id from migration`);
    const known = new Set(steps.map((step) => step.id));
    const foreign = rows.filter((row) => !known.has(row.id));
    if (foreign.length > 0) throw new NewerSchema(foreign.map((row) => row.id));
    const applied = new Set(rows.map((row) => row.id));
    for (const step of steps.filter((candidate) => !applied.has(candidate.id))) {
      await sql.query(step.sql);
      await sql.query(`insert into migration (id) values ($1)`, [step.id]);
    }
  });
}

/** Changes nothing; throws when the schema isn't exactly what this program was made for. */
export async function requireSchema(database: Database, steps: readonly Migration[]): Promise<void> {
  const [found] = await database.query<{ exists: boolean }>(`select to_regclass('migration') is not null as exists`);
  const rows = found?.exists === true ? await database.query<{ id: string }>('select id from migration') : [];
  const known = new Set(steps.map((step) => step.id));
  const foreign = rows.filter((row) => !known.has(row.id));
  if (foreign.length > 0) throw new NewerSchema(foreign.map((row) => row.id));
  if (rows.length < steps.length) throw new OlderSchema();
}

/** The account of DATABASE_URL may not make what OMA needs. */
class MissingRight extends Misfit {
  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      `the account of DATABASE_URL can't set up OMA's tables (${why}); it must own its database: ` +
        'create database oma owner oma, or alter database oma owner to oma',
      { cause },
    );
  }
}

/** The database was written by an older version, or by none yet. */
class OlderSchema extends Error {
  constructor() {
    super('the database is not of this version of OMA yet; start OMA once, which brings it up to date');
    this.name = 'OlderSchema';
  }
}

/** The database was written by a newer version. */
class NewerSchema extends Misfit {
  constructor(ids: readonly string[]) {
    super(`the database was written by a newer OMA (unknown steps: ${ids.join(', ')}); start that version instead`);
  }
}
