import type { ColumnType, Projection } from '#domain/kernel/projection';
import type { Database, Sql } from '#platform/database/database';
import { codeOf } from '#platform/database/error-code';

/** PostgreSQL's word for a view that would lose or change a column. */
const INVALID_TABLE_DEFINITION = '42P16';

/** The projection as the machinery sees it, whatever its rows. */
export type AnyProjection = Projection<never> & Projection;

/** Name of the table behind a projection's view. */
export function tableOf(projection: { readonly name: string; readonly version: number }): string {
  return `rm_${projection.name}_v${projection.version}`;
}

/** Text sorts by bytes: positions and ids must sort alike on every server. */
function sqlType(type: ColumnType): string {
  return type === 'text' ? 'text collate "C"' : type;
}

/**
 * Makes the table of a projection's version, its indexes, its row in the registry, and the view on it. Repeatable, and
 * safe with several instances starting at once.
 */
export async function ensureTable(database: Database, projection: AnyProjection): Promise<void> {
  const table = tableOf(projection);
  const { key, columns, indexes = [] } = projection.table;
  const list = Object.entries(columns).map(([name, type]) => `"${name}" ${sqlType(type)}`);
  await database.transaction(async (sql) => {
    await sql.query(`select pg_advisory_xact_lock(hashtext('oma projections'))`);
    await sql.query(`create table if not exists ${table} (${list.join(', ')}, primary key ("${key}"))`);
    for (const [number, fields] of indexes.entries()) {
      const quoted = fields.map((field) => `"${field}"`).join(', ');
      await sql.query(`create index if not exists ${table}_${number + 1} on ${table} (${quoted})`);
    }
    await sql.query(
      `insert into projection (name, version, position, status) values ($1, $2, '', 'running') on conflict do nothing`,
      [projection.name, projection.version],
    );
    await pointView(sql, projection.name, table);
  });
}

/**
 * A view can't lose or change columns in place: then it is made anew, and the views for reports, which stand on it, with it.
 * Within one transaction, so that no reader finds either missing.
 */
async function pointView(sql: Sql, name: string, table: string): Promise<void> {
  const { rows } = await sql.query<{ table_name: string }>(
    `select table_name from information_schema.view_table_usage where view_name = $1 and view_schema = current_schema()`,
    [name],
  );
  if (rows[0]?.table_name === table) return;
  await sql.query('savepoint point_view');
  try {
    await sql.query(`create or replace view "${name}" as select * from ${table}`);
  } catch (error) {
    if (codeOf(error) !== INVALID_TABLE_DEFINITION) throw error;
    await sql.query('rollback to savepoint point_view');
    await dropView(sql, name);
    await sql.query(`create view "${name}" as select * from ${table}`);
  }
  await sql.query('select remake_reporting()');
}

/**
 * From above, in the order in which readers lock them; and whoever reads several in another order is waited for more briefly
 * than PostgreSQL takes to look for a deadlock, so that it is never the reader who fails.
 */
async function dropView(sql: Sql, name: string): Promise<void> {
  await sql.query(`set local lock_timeout = '500ms'`);
  const { rows: above } = await sql.query<{ view: string }>(
    `select distinct rule.ev_class::regclass::text as view
       from pg_depend d join pg_rewrite rule on d.classid = 'pg_rewrite'::regclass and rule.oid = d.objid
      where d.refobjid = $1::regclass and rule.ev_class <> d.refobjid order by view`,
    [`"${name}"`],
  );
  for (const { view } of above) await sql.query(`drop view if exists ${view} cascade`);
  await sql.query(`drop view "${name}"`);
}
