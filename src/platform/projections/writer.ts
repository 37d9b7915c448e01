import type { StoredEvent } from '#domain/kernel/event';
import type { ColumnType } from '#domain/kernel/projection';
import type { Sql } from '#platform/database/database';

import { type AnyProjection, tableOf } from './tables.js';

type Row = Record<string, unknown>;

/** Folds a batch into the rows it touches and writes them: one select, one upsert, one delete, whatever its size. */
export async function writeBatch(sql: Sql, projection: AnyProjection, batch: readonly StoredEvent[]): Promise<void> {
  const touched = batch.map((event) => ({ event, keys: projection.keysOf(event) }));
  const keys = [...new Set(touched.flatMap((entry) => entry.keys))];
  if (keys.length > 0) {
    const rows = await load(sql, projection, keys);
    for (const { event, keys: own } of touched) {
      for (const key of own) rows.set(key, projection.evolve((rows.get(key) ?? null) as never, event, key));
    }
    await save(sql, projection, rows);
  }
  for (const { sql: text, values } of projection.besides?.(batch) ?? []) await sql.query(text, [...values]);
}

async function load(sql: Sql, projection: AnyProjection, keys: readonly string[]): Promise<Map<string, Row | null>> {
  const { key, columns } = projection.table;
  const found = await sql.query<Row>(`select * from ${tableOf(projection)} where "${key}" = any($1)`, [keys]);
  return new Map(found.rows.map((row) => [String(row[key]), fromSql(row, columns)]));
}

async function save(sql: Sql, projection: AnyProjection, rows: ReadonlyMap<string, Row | null>): Promise<void> {
  const { key, columns } = projection.table;
  const kept = [...rows.values()].filter((row) => row !== null);
  const gone = [...rows].filter(([, row]) => row === null).map(([id]) => id);
  const names = Object.keys(columns);
  if (kept.length > 0) {
    const list = names.map((name) => `"${name}"`).join(', ');
    const arrays = names.map((name, index) => `$${index + 1}::${columns[name] ?? 'text'}[]`).join(', ');
    const sets = names.filter((name) => name !== key).map((name) => `"${name}" = excluded."${name}"`);
    const clash = sets.length === 0 ? 'do nothing' : `do update set ${sets.join(', ')}`;
    await sql.query(
      `insert into ${tableOf(projection)} (${list}) select * from unnest(${arrays}) on conflict ("${key}") ${clash}`,
      names.map((name) => kept.map((row) => toSql(row[name], columns[name]))),
    );
  }
  if (gone.length > 0) await sql.query(`delete from ${tableOf(projection)} where "${key}" = any($1)`, [gone]);
}

function toSql(value: unknown, type: ColumnType | undefined): unknown {
  if (value === undefined || value === null) return null;
  return type === 'jsonb' ? JSON.stringify(value) : value;
}

/** Rows come back as `evolve` made them: numbers as numbers, times as ISO strings. */
function fromSql(row: Row, columns: Readonly<Record<string, ColumnType>>): Row {
  return Object.fromEntries(Object.entries(columns).map(([name, type]) => [name, valueFromSql(row[name], type)]));
}

function valueFromSql(value: unknown, type: ColumnType): unknown {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (type !== 'bigint') return value;
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Error('a bigint is too large for a number');
  return number;
}
