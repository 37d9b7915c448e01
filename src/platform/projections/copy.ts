import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as letOthers } from 'node:timers/promises';

import { type CopyStreamQuery, from } from 'pg-copy-streams';

import type { StoredEvent } from '#domain/kernel/event';
import type { Sql } from '#platform/database/database';

import { BinaryRows } from './binary-rows.js';
import type { AnyProjection } from './tables.js';

/** Between so many events others have a turn: also the socket, which takes no more at a turn than fits into its buffer. */
const EVENTS_AT_ONCE = 50;

/** Rows as COPY takes them, in pieces. */
export interface CopyOfRows {
  readonly rows: number;
  readonly pieces: readonly Buffer[];
}

/** The rows that a page of events makes, of a projection that only adds rows. */
export async function copyOf(projection: AnyProjection, page: readonly StoredEvent[]): Promise<CopyOfRows> {
  const copy = new BinaryRows(projection.table.columns);
  let rows = 0;
  for (const [number, event] of page.entries()) {
    for (const key of projection.keysOf(event)) {
      const row = projection.evolve(null, event, key) as Readonly<Record<string, unknown>> | null;
      if (row === null) continue;
      copy.add(row);
      rows += 1;
    }
    if (number % EVENTS_AT_ONCE === 0) await letOthers();
  }
  return { rows, pieces: copy.end() };
}

/** Writes them. */
export async function writeCopy(
  sql: Sql,
  { table: shape }: AnyProjection,
  table: string,
  { rows, pieces }: CopyOfRows,
): Promise<void> {
  if (rows === 0) return;
  const columns = Object.keys(shape.columns).map((name) => `"${name}"`);
  const into: CopyStreamQuery = sql.query(from(`copy ${table} (${columns.join(', ')}) from stdin (format binary)`));
  await pipeline(Readable.from(pieces), into);
}
