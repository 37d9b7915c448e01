import type { Database } from '#platform/database/database';

import type { WhichBuild } from './projection-progress.port.js';
import { addGeneration } from './registration.js';
import { registered, REGISTRY_LOCK } from './registry.js';
import type { AnyProjection } from './tables.js';

/** Says in the registry that a projection's rows are to be built anew; answers the generation, null when they are already. */
export async function requestRebuild(database: Database, projection: AnyProjection): Promise<number | null> {
  return database.transaction(async (sql) => {
    await sql.query(REGISTRY_LOCK);
    return addGeneration(sql, projection);
  });
}

/** Says that a build is no longer wanted; false when it is over, whatever is built now, or when there would be no rows without it. */
export async function cancelRebuild(
  database: Database,
  { name, version }: AnyProjection,
  { generation, startedAt }: WhichBuild,
): Promise<boolean> {
  return database.transaction(async (sql) => {
    await sql.query(REGISTRY_LOCK);
    const live = await registered(sql, 'name = $1 and version = $2 and live', [name, version]);
    if (live.length === 0) return false;
    const condition = `name = $1 and version = $2 and generation = $3 and not live and status in ('building', 'stopped') for update`;
    const [meant] = await registered(sql, condition, [name, version, generation]);
    if (meant?.startedAt.getTime() !== startedAt.getTime()) return false;
    await sql.query(
      `update projection set status = 'cancelled', updated_at = now() where name = $1 and version = $2 and generation = $3`,
      [name, version, generation],
    );
    return true;
  });
}

/** Sets going again what stopped, live or being built; false when nothing did. */
export async function retryStopped(database: Database, { name, version }: AnyProjection): Promise<boolean> {
  const rows = await database.query(
    `update projection set status = case when live then 'running' else 'building' end, error = null,
            stopped_event_id = null, updated_at = now()
      where name = $1 and version = $2 and status = 'stopped' returning name`,
    [name, version],
  );
  return rows.length > 0;
}
