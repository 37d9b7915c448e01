import type { Sql } from '#platform/database/database';

import type { AnyProjection } from './tables.js';

/** A row that isn't what the log says. Its key and the names of columns, never what is in them. */
export interface Difference {
  readonly key: string;
  readonly kind: 'missing' | 'extra' | 'different';
  readonly columns: readonly string[];
}

/** How live rows differ from those that the log gives: `missing` ones should be there, `extra` ones should not. */
export interface Comparison {
  /** How many rows the log gives. */
  readonly rows: number;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  /** The first few. */
  readonly examples: readonly Difference[];
}

const EXAMPLES = 20;

/** Compares a live table with a shadow that was made from the log, both as the caller's transaction sees them. */
export async function compareTables(
  sql: Sql,
  projection: AnyProjection,
  live: string,
  shadow: string,
): Promise<Comparison> {
  const { key, columns } = projection.table;
  const names = Object.keys(columns).filter((name) => name !== key);
  const differs = names.map((name) => `case when l."${name}" is distinct from s."${name}" then '${name}' end`);
  const list = differs.length === 0 ? 'array[]::text[]' : `array_remove(array[${differs.join(', ')}], null)`;
  const { rows } = await sql.query<Difference & { of_kind: string; nth: string }>(
    `with compared as (
       select coalesce(l."${key}", s."${key}")::text as key,
              case when l."${key}" is null then 'missing' when s."${key}" is null then 'extra' else 'different' end as kind,
              case when l."${key}" is null or s."${key}" is null then array[]::text[] else ${list} end as columns
         from ${live} l full join ${shadow} s on l."${key}" = s."${key}"),
     wrong as (
       select key, kind, columns, count(*) over (partition by kind) as of_kind,
              row_number() over (partition by kind order by key collate "C") as nth
         from compared where kind <> 'different' or columns <> array[]::text[])
     select * from wrong where nth <= ${EXAMPLES} order by nth, kind`,
  );
  const count = await sql.query<{ rows: string }>(`select count(*) as rows from ${shadow}`);
  const ofKind = (kind: Difference['kind']) => Number(rows.find((row) => row.kind === kind)?.of_kind ?? 0);
  return {
    rows: Number(count.rows[0]?.rows ?? 0),
    missing: ofKind('missing'),
    extra: ofKind('extra'),
    different: ofKind('different'),
    examples: rows.slice(0, EXAMPLES).map((row) => ({ key: row.key, kind: row.kind, columns: row.columns })),
  };
}
