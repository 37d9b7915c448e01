import { JsonText, type StoredEvent } from '#domain/kernel/event';
import type { ColumnType } from '#domain/kernel/projection';
import type { Sql } from '#platform/database/database';
import { preparedName } from '#platform/database/prepared';

import type { AnyProjection } from './tables.js';

export type Row = Record<string, unknown>;

/** Rows by key as they are after some events; null stands for "no such row". */
export type Rows = Map<string, Row | null>;

/** Whether a batch touches rows, or what is beside them. */
export function changesAnything(projection: AnyProjection, batch: readonly StoredEvent[]): boolean {
  return batch.some((event) => projection.keysOf(event).length > 0) || (projection.besides?.(batch) ?? []).length > 0;
}

/** Folds a batch into the rows it touches and writes them: one select, one upsert, one delete, whatever its size. */
export async function writeBatch(
  sql: Sql,
  projection: AnyProjection,
  table: string,
  batch: readonly StoredEvent[],
): Promise<void> {
  const touched = touchedBy(projection, batch);
  const keys = [...new Set(touched.flatMap((entry) => entry.keys))];
  if (keys.length > 0) {
    // Whoever only adds rows has none yet for what comes now.
    const rows = projection.insertOnly ? new Map<string, Row | null>() : await loadRows(sql, projection, table, keys);
    for (const one of touched) foldInto(rows, projection, one);
    await saveRows(sql, projection, table, rows);
  }
  await writeBesides(sql, projection, batch);
}

/** What belongs to a batch beside its rows, once: only for the rows that are live. */
export async function writeBesides(sql: Sql, projection: AnyProjection, batch: readonly StoredEvent[]): Promise<void> {
  for (const { sql: text, values } of projection.besides?.(batch) ?? []) await sql.query(text, [...values]);
}

export interface Touched {
  readonly event: StoredEvent;
  readonly keys: readonly string[];
}

export function touchedBy(projection: AnyProjection, batch: readonly StoredEvent[]): readonly Touched[] {
  return batch.map((event) => ({ event, keys: projection.keysOf(event) }));
}

export function foldInto(rows: Rows, projection: AnyProjection, { event, keys }: Touched): void {
  for (const key of keys) rows.set(key, projection.evolve((rows.get(key) ?? null) as never, event, key));
}

export async function loadRows(
  sql: Sql,
  projection: AnyProjection,
  table: string,
  keys: readonly string[],
): Promise<Rows> {
  const { key, columns } = projection.table;
  const text = `select * from ${table} where "${key}" = any($1)`;
  const found = await sql.query<Row>({ name: preparedName(text), text, values: [keys] });
  return new Map(found.rows.map((row) => [String(row[key]), fromSql(row, columns)]));
}

export async function saveRows(
  sql: Sql,
  projection: AnyProjection,
  table: string,
  rows: ReadonlyMap<string, Row | null>,
): Promise<void> {
  const { key, columns } = projection.table;
  const kept = [...rows.values()].filter((row) => row !== null);
  const gone = [...rows].filter(([, row]) => row === null).map(([id]) => id);
  const names = Object.keys(columns);
  if (kept.length > 0) {
    const list = names.map((name) => `"${name}"`).join(', ');
    const arrays = names.map((name, index) => `$${index + 1}::${columns[name] ?? 'text'}[]`).join(', ');
    const sets = names.filter((name) => name !== key).map((name) => `"${name}" = excluded."${name}"`);
    const clash = sets.length === 0 ? 'do nothing' : `do update set ${sets.join(', ')}`;
    const text = `insert into ${table} (${list}) select * from unnest(${arrays}) on conflict ("${key}") ${clash}`;
    const values = names.map((name) => kept.map((row) => toSql(row[name], columns[name])));
    await sql.query({ name: preparedName(text), text, values });
  }
  if (gone.length > 0) await sql.query(`delete from ${table} where "${key}" = any($1)`, [gone]);
}

function toSql(value: unknown, type: ColumnType | undefined): unknown {
  if (value === undefined || value === null) return null;
  if (type !== 'jsonb') return value;
  return value instanceof JsonText ? Buffer.from(value.utf8).toString() : JSON.stringify(value);
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
