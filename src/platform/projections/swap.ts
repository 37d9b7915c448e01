import type { StoredEvent } from '#domain/kernel/event';
import type { Sql } from '#platform/database/database';
import type { EventStore } from '#platform/event-store/event-store.port';

import type { BulkWriter } from './bulk-writer.js';
import { pages } from './pages.js';
import { Moved } from './poison.js';
import { type Registered, registered, REGISTRY_LOCK } from './registry.js';
import { type AnyProjection, type Generation, pointView, tableOf } from './tables.js';
import { writeBesides } from './writer.js';

/** So long those who move rows may keep a swap waiting. */
const LOCK_TIMEOUT = '2s';
/**
 * So long a report may: whoever wants to read or to move rows waits behind the swap meanwhile. PostgreSQL takes longer to look for
 * a deadlock, so that it is never the reader who fails.
 */
const VIEW_LOCK_TIMEOUT = '300ms';
/** So long the rest may take to come: the log may be slow, or away. */
const READ_WITHIN_MS = 2000;
/** What is left to apply while everybody waits. */
const MOST_LEFT = 2000;

/** There is more left than may be applied, or than can be read, while everybody waits. */
export class FarBehind extends Error {}

/**
 * Puts a built generation in the place of the live one, within the caller's transaction: both rows of the registry are locked,
 * so that neither moves; what the live one has and the new one hasn't is applied, so that no reader sees an older state than
 * before; then the view is turned. Throws Moved when the new one is no longer wanted, FarBehind, and what locks throw.
 */
export async function swap(
  sql: Sql,
  store: EventStore,
  projection: AnyProjection,
  built: Generation,
  writer: BulkWriter,
): Promise<void> {
  const { name, version, generation } = built;
  await sql.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
  await sql.query(REGISTRY_LOCK);
  const rows = await registered(sql, 'name = $1 and (live or (version = $2 and generation = $3)) for update', [
    name,
    version,
    generation,
  ]);
  const next = rows.find((row) => row.version === version && row.generation === generation);
  const live = rows.find((row) => row.live);
  if (next?.status !== 'building' || live === undefined || live.version > version) throw new Moved();
  const rest = await eventsBetween(store, projection, next, live);
  await writer.write(sql, rest);
  // What the new rows show and the live ones didn't yet has been done for neither.
  if (projection.besides !== undefined && next.position > live.position) {
    await besidesBetween(sql, store, projection, live, next);
  }
  await sql.query(`set local lock_timeout = '${VIEW_LOCK_TIMEOUT}'`);
  await pointView(sql, name, tableOf(built));
  await sql.query(
    `update projection set live = false, status = 'retired', retired_at = now() where name = $1 and live`,
    [name],
  );
  await sql.query(
    `update projection set live = true, status = 'running', position = greatest(position, $4), updated_at = now(),
            events = events + $5, last_recorded_at = greatest(last_recorded_at, $6)
      where name = $1 and version = $2 and generation = $3`,
    [name, version, generation, live.position, rest.length, live.lastRecordedAt],
  );
}

/** What the live rows show and the new ones don't yet. */
async function eventsBetween(
  store: EventStore,
  projection: AnyProjection,
  next: Registered,
  live: Registered,
): Promise<readonly StoredEvent[]> {
  const rest: StoredEvent[] = [];
  for await (const page of stretch(store, projection, next, live)) {
    rest.push(...page.events);
    if (rest.length > MOST_LEFT) throw new FarBehind();
  }
  return rest;
}

async function besidesBetween(
  sql: Sql,
  store: EventStore,
  projection: AnyProjection,
  live: Registered,
  next: Registered,
): Promise<void> {
  for await (const page of stretch(store, projection, live, next)) await writeBesides(sql, projection, page.events);
}

/** Everything between two checkpoints. Throws FarBehind when it doesn't come in time. */
async function* stretch(store: EventStore, projection: AnyProjection, from: Registered, to: Registered) {
  const late = new AbortController();
  // A signal of AbortSignal.timeout may be collected before its time when others are made of it.
  const timer = setTimeout(() => {
    late.abort();
  }, READ_WITHIN_MS);
  let reached = from.position;
  const range = { after: from.position, upTo: to.position, maxBatch: MOST_LEFT + 1, signal: late.signal };
  try {
    for await (const page of pages(store, projection, range)) {
      yield page;
      reached = page.upTo;
    }
  } finally {
    clearTimeout(timer);
  }
  if (reached < to.position) throw new FarBehind();
}
