import type { Json, StoredEvent } from './event.js';

/** PostgreSQL types a projection's column may have. A `jsonb` column holds any Json; `timestamptz` holds ISO strings. */
export type ColumnType =
  'text' | 'uuid' | 'bigint' | 'integer' | 'double precision' | 'boolean' | 'timestamptz' | 'jsonb';

export type RowValue = Json;

/**
 * The shape of the table behind a projection. The runner creates `rm_<name>_v<version>` (and `…_g<n>` for later generations of
 * its rows) with these columns and a view `<name>` on it. Columns may be null unless they are the key.
 */
export interface TableShape<Row> {
  readonly key: keyof Row & string;
  readonly columns: Readonly<Record<keyof Row & string, ColumnType>>;
  /** Lists of columns, one secondary index each. */
  readonly indexes?: readonly (readonly (keyof Row & string)[])[];
}

/**
 * A pure function from events to rows. `keysOf` names the rows that an event touches; `evolve` answers the new row, or
 * null for "no such row". `handles` is also the filter of the subscription.
 */
export interface Projection<Row extends object = Record<string, RowValue>> {
  readonly name: string;
  readonly version: number;
  readonly table: TableShape<Row>;
  readonly handles: 'all' | readonly string[];
  /** Every event makes rows of its own, and none of them ever changes: `evolve` is never given a row. */
  readonly insertOnly?: true;
  /**
   * So many milliseconds it rests after it took the newest events, so that what comes in a burst is written together: its rows are later
   * by no more than that. Without one it never rests.
   */
  readonly restMs?: number;
  keysOf(event: StoredEvent): readonly string[];
  evolve(row: Row | null, event: StoredEvent, key: string): Row | null;
  /** Statements that belong into the same transaction as the batch's rows (e.g. ending leases). */
  besides?(batch: readonly StoredEvent[]): readonly { readonly sql: string; readonly values: readonly unknown[] }[];
}
