import type { StoredEvent } from '#domain/kernel/event';
import { preparedName } from '#platform/database/prepared';

import type { Queries } from './registry.js';
import type { AnyProjection } from './tables.js';

/** An event that a version of a projection goes on without, because somebody said so. */
export interface DeadLetter {
  readonly eventId: string;
  readonly error: string;
  readonly actor: string;
  readonly reason: string;
}

export async function addDeadLetter(
  sql: Queries,
  { name, version }: AnyProjection,
  { eventId, error, actor, reason }: DeadLetter,
): Promise<void> {
  await sql.query(
    `insert into projection_dead_letter (name, version, event_id, error, actor, reason) values ($1, $2, $3, $4, $5, $6)
     on conflict do nothing`,
    [name, version, eventId, error, actor, reason],
  );
}

/** How many events each version goes on without, where there are any. */
export async function deadLetterCounts(
  sql: Queries,
): Promise<readonly { readonly name: string; readonly version: number; readonly events: number }[]> {
  const text = 'select name, version, count(*)::int events from projection_dead_letter group by name, version';
  return (await sql.query<{ name: string; version: number; events: number }>({ name: preparedName(text), text })).rows;
}

/** Leaves out of pages what the live rows of this version were made without, so that rows made anew agree with them. */
export async function withoutDeadLetters(
  sql: Queries,
  { name, version }: AnyProjection,
): Promise<(page: readonly StoredEvent[]) => readonly StoredEvent[]> {
  const { rows } = await sql.query<{ event_id: string }>(
    'select event_id from projection_dead_letter where name = $1 and version = $2',
    [name, version],
  );
  const dead = new Set(rows.map((row) => row.event_id));
  return dead.size === 0 ? (page) => page : (page) => page.filter((event) => !dead.has(event.id));
}
