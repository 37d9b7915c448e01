import { setTimeout as pause } from 'node:timers/promises';

import type { ColumnType, Projection } from '#domain/kernel/projection';
import type { Sql } from '#platform/database/database';
import { REPORTING_LOCK } from '#platform/reporting/reporting-lock';

/** The projection as the machinery sees it, whatever its rows. */
export type AnyProjection = Projection<never> & Projection;

/** One set of a projection's rows: made by the code of a version, and the how-manieth of that version. */
export interface Generation {
  readonly name: string;
  readonly version: number;
  readonly generation: number;
}

/** Name of the table that holds a generation's rows. */
export function tableOf({ name, version, generation }: Generation): string {
  const first = `rm_${name}_v${version}`;
  return generation === 1 ? first : `${first}_g${generation}`;
}

/** Text sorts by bytes: positions and ids must sort alike on every server. */
function sqlType(type: ColumnType): string {
  return type === 'text' ? 'text collate "C"' : type;
}

/**
 * Makes the table for a projection's rows, without indexes. Its key can wait too where rows are only ever added. What is `unread` is
 * left alone by autovacuum, which would go through it again and again while it is filled; see `tableIsFilled`.
 */
export async function createTable(
  sql: Sql,
  projection: AnyProjection,
  table: string,
  { unread = false }: { readonly unread?: boolean } = {},
): Promise<void> {
  const { key, columns } = projection.table;
  // The key says so from the beginning: otherwise all rows would be looked through when it is made.
  const list = Object.entries(columns).map(
    ([name, type]) => `"${name}" ${sqlType(type)}${name === key ? ' not null' : ''}`,
  );
  if (projection.insertOnly !== true) list.push(`primary key ("${key}")`);
  const unattended = unread ? ' with (autovacuum_enabled = off)' : '';
  await sql.query(`create table if not exists ${table} (${list.join(', ')})${unattended}`);
}

/** To be said before anybody reads a table that was made `unread`: the planner gets to know it. */
export async function tableIsFilled(sql: Sql, table: string): Promise<void> {
  await sql.query(`alter table ${table} reset (autovacuum_enabled)`);
  await sql.query(`analyze ${table}`);
}

/** Whoever may not help now looks so often whether it may; an index takes seconds. */
const LOOK_MS = 100;

/** A second connection, which makes an index of its own whenever it is free. */
export interface IndexHelper {
  readonly sql: Sql;
  readonly isFree: () => boolean;
}

/** What `createTable` left out. Repeatable, one statement at a time: each may take long. */
export async function createIndexes(
  sql: Sql,
  { table: shape }: AnyProjection,
  table: string,
  helper: IndexHelper | null = null,
): Promise<void> {
  const key = `${table}_pkey`;
  const { rowCount } = await sql.query(`select from pg_constraint where conrelid = $1::regclass and contype = 'p'`, [
    table,
  ]);
  const hasKey = rowCount !== 0;
  const left = (shape.indexes ?? []).map((fields, number) => {
    const quoted = fields.map((field) => `"${field}"`).join(', ');
    return `create index if not exists ${table}_${number + 1} on ${table} (${quoted})`;
  });
  // As an index of its own, since a constraint would keep the others waiting.
  if (!hasKey) left.unshift(`create unique index if not exists ${key} on ${table} ("${shape.key}")`);
  const work = async () => {
    try {
      for (let next = left.shift(); next !== undefined; next = left.shift()) await sql.query(next);
    } finally {
      // Who helps has nothing to wait for either when one failed.
      left.length = 0;
    }
  };
  const help = async ({ sql: second, isFree }: IndexHelper) => {
    while (left.length > 0) {
      const next = isFree() ? left.shift() : undefined;
      await (next === undefined ? pause(LOOK_MS) : second.query(next));
    }
  };
  const both = helper === null ? [work()] : [work(), help(helper)];
  // Nothing is under way any more when it is told that one failed.
  await Promise.allSettled(both);
  await Promise.all(both);
  if (!hasKey) await sql.query(`alter table ${table} add constraint ${key} primary key using index ${key}`);
}

interface Column {
  readonly name: string;
  readonly type: string;
}

/**
 * Points the view at the table. In place where its columns are all still there, so that views on it live on, and with new
 * columns at the end; otherwise it is made anew.
 */
export async function pointView(sql: Sql, view: string, table: string): Promise<void> {
  await sql.query(REPORTING_LOCK);
  const [old, now] = [await columnsOf(sql, `"${view}"`), await columnsOf(sql, table)];
  const kept = old.every(({ name, type }) => now.some((column) => column.name === name && column.type === type));
  const added = now.filter(({ name }) => !old.some((column) => column.name === name));
  const columns = (kept ? [...old, ...added] : now).map(({ name }) => `"${name}"`).join(', ');
  if (!kept && old.length > 0) await dropView(sql, view);
  await sql.query(`create or replace view "${view}" as select ${columns} from ${table}`);
  await sql.query('select remake_reporting()');
}

/**
 * With the views for reports, which stand on it; they are made anew in the same transaction, so that no reader finds any
 * missing. From above, in the order in which readers lock them; and whoever reads several in another order is waited for more
 * briefly than PostgreSQL takes to look for a deadlock, so that it is never the reader who fails.
 */
async function dropView(sql: Sql, view: string): Promise<void> {
  await sql.query(`set local lock_timeout = '500ms'`);
  const { rows: above } = await sql.query<{ view: string }>(
    `select distinct rule.ev_class::regclass::text as view
       from pg_depend d join pg_rewrite rule on d.classid = 'pg_rewrite'::regclass and rule.oid = d.objid
      where d.refobjid = $1::regclass and rule.ev_class <> d.refobjid order by view`,
    [`"${view}"`],
  );
  for (const upper of above) await sql.query(`drop view if exists ${upper.view} cascade`);
  await sql.query(`drop view "${view}"`);
}

async function columnsOf(sql: Sql, relation: string): Promise<readonly Column[]> {
  const { rows } = await sql.query<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
      where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`,
    [relation],
  );
  return rows;
}
