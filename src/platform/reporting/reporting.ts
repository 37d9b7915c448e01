import type { Database } from '#platform/database/database';

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

/** Offers these views in the schema `reporting`, and no others. Repeatable, and safe with several instances starting at once. */
export async function offerReporting(database: Database, views: readonly ReportingView[]): Promise<void> {
  const rows = views.map((view) => ({
    name: view.name,
    definition: definitionOf(view),
    about: view.about,
    columns: view.columns.map(({ name, about }) => ({ name, about })),
  }));
  await database.transaction(async (sql) => {
    await sql.query(`select pg_advisory_xact_lock(hashtext('oma reporting'))`);
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
  });
}

function definitionOf({ columns, from, with: before = '' }: ReportingView): string {
  const list = columns.map(({ name, sql }) => `${sql} as "${name}"`).join(',\n       ');
  return `${before} select ${list}\n  ${from}`;
}
