import type { Position, StoredEvent } from '#domain/kernel/event';
import type { Database, Sql } from '#platform/database/database';
import { preparedName } from '#platform/database/prepared';

import { Moved } from './poison.js';
import { type AnyProjection, type Generation, tableOf } from './tables.js';
import { foldBatch, removal, type Rows, upsert, writeBesides, written } from './writer.js';

/** What a projection handles between two checkpoints. */
export interface Stretch {
  readonly events: readonly StoredEvent[];
  readonly from: Position;
  readonly upTo: Position;
}

/**
 * Takes the checkpoint's row lock, too: whoever else wants to move it waits until this transaction has ended, and finds it moved.
 */
const MOVE = `update projection set position = $5, last_recorded_at = $6, updated_at = now()
  where name = $1 and version = $2 and generation = $3 and live and status = 'running' and position = $4 returning name`;
const FIRST = 7;
const IF_MOVED = 'exists (select from moved)';

/**
 * Moves the rows of a live generation and their checkpoint, together: one statement, which waits for nobody between the two. The rows
 * are read before it: they change with the checkpoint alone, and that never goes back, so that they are still what was read when
 * the checkpoint is still there. Throws Moved when it isn't, or when these rows are no longer to be moved.
 */
export async function advance(
  database: Database,
  projection: AnyProjection,
  live: Generation,
  stretch: Stretch,
): Promise<void> {
  const rows = await foldBatch(database.pool, projection, tableOf(live), stretch.events);
  if ((projection.besides?.(stretch.events) ?? []).length === 0)
    return move(database.pool, projection, live, stretch, rows);
  await database.transaction(async (sql) => {
    await move(sql, projection, live, stretch, rows);
    await writeBesides(sql, projection, stretch.events);
  });
}

async function move(
  sql: Sql,
  projection: AnyProjection,
  live: Generation,
  { events, from, upTo }: Stretch,
  rows: Rows,
): Promise<void> {
  const table = tableOf(live);
  const { columns, gone } = written(projection, rows);
  const text = `with moved as (${MOVE}),
    saved as (${upsert(projection, table, FIRST, IF_MOVED)}),
    removed as (${removal(projection, table, FIRST + columns.length, IF_MOVED)})
    select from moved`;
  const { name, version, generation } = live;
  const values = [name, version, generation, from, upTo, events.at(-1)?.recordedAt ?? null, ...columns, gone];
  const moved = await sql.query({ name: preparedName(text), text, values });
  if (moved.rowCount === 0) throw new Moved();
}
