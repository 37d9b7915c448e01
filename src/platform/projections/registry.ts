import type pg from 'pg';

import type { Position } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import { preparedName } from '#platform/database/prepared';

import type { AnyProjection, Generation } from './tables.js';

/** A pool or a connection. */
export interface Queries {
  query<Row extends pg.QueryResultRow>(sql: string | pg.QueryConfig, values?: unknown[]): Promise<pg.QueryResult<Row>>;
}

/** Those `building` or `stopped` may be live or not yet; `cancelled` and `retired` ones wait for their removal. */
export type GenerationStatus = 'building' | 'running' | 'stopped' | 'cancelled' | 'retired';

/** A row of the registry: the lock, the checkpoint and the state of one generation. */
export interface Registered extends Generation {
  readonly status: GenerationStatus;
  /** True of the one behind the view. */
  readonly live: boolean;
  readonly position: Position;
  /** How many events it was made of while it was built. */
  readonly events: number;
  readonly error: string | null;
  readonly stoppedEventId: string | null;
  readonly lastRecordedAt: Date | null;
  readonly startedAt: Date;
}

interface Row {
  name: string;
  version: number;
  generation: number;
  status: GenerationStatus;
  live: boolean;
  position: string;
  events: string;
  error: string | null;
  stopped_event_id: string | null;
  last_recorded_at: Date | null;
  started_at: Date;
}

/** Whoever adds or removes generations holds it, for as long as the transaction lasts. */
export const REGISTRY_LOCK = `select pg_advisory_xact_lock(hashtext('oma projections'))`;

/** The rows of the registry for which `condition` holds, older ones first. It may end with `for update`. */
export async function registered(
  sql: Queries,
  condition: string,
  values: unknown[] = [],
): Promise<readonly Registered[]> {
  const text = `with found as (select * from projection where ${condition})
    select name, version, generation, status, live, position, events, error, stopped_event_id, last_recorded_at, started_at
      from found order by name, version, generation`;
  const { rows } = await sql.query<Row>({ name: preparedName(text), text, values });
  return rows.map(({ stopped_event_id, last_recorded_at, started_at, events, ...row }) => ({
    ...row,
    events: Number(events),
    stoppedEventId: stopped_event_id,
    lastRecordedAt: last_recorded_at,
    startedAt: started_at,
  }));
}

/** The generation of this version that is to be built beside the live one; undefined when there is none. */
export async function wantedBuild(
  database: Database,
  { name, version }: AnyProjection,
): Promise<Registered | undefined> {
  const condition = `name = $1 and version = $2 and not live and status = 'building'`;
  return (await registered(database.pool, condition, [name, version]))[0];
}
