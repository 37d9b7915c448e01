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

/** The rows that a batch touches as they are after it. */
export async function foldBatch(
  sql: Sql,
  projection: AnyProjection,
  table: string,
  batch: readonly StoredEvent[],
): Promise<Rows> {
  const touched = touchedBy(projection, batch);
  const keys = [...new Set(touched.flatMap((entry) => entry.keys))];
  // Whoever only adds rows has none yet for what comes now.
  const isNew = projection.insertOnly === true || keys.length === 0;
  const rows = isNew ? new Map<string, Row | null>() : await loadRows(sql, projection, table, keys);
  for (const one of touched) foldInto(rows, projection, one);
  return rows;
}

/** What belongs to a batch beside its rows, once: only for the rows that are live. */
export async function writeBesides(sql: Sql, projection: AnyProjection, batch: readonly StoredEvent[]): Promise<void> {
  for (const { sql: text, values } of projection.besides?.(batch) ?? [])
    await sql.query({ name: preparedName(text), text, values: [...values] });
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

export async function saveRows(sql: Sql, projection: AnyProjection, table: string, rows: Rows): Promise<void> {
  const { columns, gone } = written(projection, rows);
  if (rows.size > gone.length) {
    const text = upsert(projection, table, 1);
    await sql.query({ name: preparedName(text), text, values: [...columns] });
  }
  if (gone.length > 0) await sql.query(removal(projection, table, 1), [gone]);
}

/** Rows as statements take them: those that there are in one array per column, and the keys of those that are no more. */
export function written(
  { table: { columns } }: AnyProjection,
  rows: Rows,
): { readonly columns: readonly (readonly unknown[])[]; readonly gone: readonly string[] } {
  const kept = [...rows.values()].filter((row) => row !== null);
  return {
    columns: Object.entries<ColumnType>(columns).map(([name, type]) => kept.map((row) => toSql(row[name], type))),
    gone: [...rows].filter(([, row]) => row === null).map(([id]) => id),
  };
}

/** Writes rows whose columns are the parameters from `$first` on, where `condition` holds. */
export function upsert(
  { table: { key, columns } }: AnyProjection,
  table: string,
  first: number,
  condition = 'true',
): string {
  const names = Object.keys(columns).map((name) => `"${name}"`);
  const arrays = Object.values<ColumnType>(columns).map((type, index) => `$${first + index}::${type}[]`);
  const sets = names.filter((name) => name !== `"${key}"`).map((name) => `${name} = excluded.${name}`);
  const clash = sets.length === 0 ? 'do nothing' : `do update set ${sets.join(', ')}`;
  return `insert into ${table} (${names.join(', ')}) select * from unnest(${arrays.join(', ')}) where ${condition}
    on conflict ("${key}") ${clash}`;
}

/** Removes the rows whose keys are the parameter `$place`, where `condition` holds. */
export function removal({ table: { key } }: AnyProjection, table: string, place: number, condition = 'true'): string {
  return `delete from ${table} where "${key}" = any($${place}) and ${condition}`;
}

function toSql(value: unknown, type: ColumnType): unknown {
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
