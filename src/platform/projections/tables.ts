import type { ColumnType, Projection } from '#domain/kernel/projection';
import type { Database, Sql } from '#platform/database/database';

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

/** A view can't lose or reorder columns in place, so it is made anew when it points elsewhere. */
async function pointView(sql: Sql, name: string, table: string): Promise<void> {
  const { rows } = await sql.query<{ table_name: string }>(
    `select table_name from information_schema.view_table_usage where view_name = $1 and view_schema = current_schema()`,
    [name],
  );
  if (rows[0]?.table_name === table) return;
  await sql.query(`drop view if exists "${name}"`);
  await sql.query(`create view "${name}" as select * from ${table}`);
}
