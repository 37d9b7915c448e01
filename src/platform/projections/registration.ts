import type { Database } from '#platform/database/database';
import { Misfit } from '#platform/start/cannot-start';

import { type Registered, registered, REGISTRY_LOCK } from './registry.js';
import { type AnyProjection, createIndexes, createTable, pointView, tableOf } from './tables.js';

/** The rows of a projection were made by a newer version of its code, which this program doesn't have. */
export class NewerProjection extends Misfit {
  constructor(projection: AnyProjection, live: Registered) {
    super(
      `the projection ${projection.name} was built by a newer OMA (version ${live.version}, this one knows ${projection.version}); start that version instead`,
    );
  }
}

/**
 * Makes sure that a projection has rows in this version: live at once where there were none of it before, otherwise to be
 * built beside those of the earlier version. Repeatable, and safe with several instances starting at once.
 * Throws NewerProjection.
 */
export async function register(database: Database, projection: AnyProjection): Promise<void> {
  const { name, version } = projection;
  await database.transaction(async (sql) => {
    await sql.query(REGISTRY_LOCK);
    const live = (await registered(sql, 'name = $1 and live', [name]))[0];
    if (live === undefined) {
      const table = tableOf({ name, version, generation: 1 });
      await createTable(sql, projection, table);
      await createIndexes(sql, projection, table);
      await pointView(sql, name, table);
      await sql.query(
        `insert into projection (name, version, position, status, live) values ($1, $2, '', 'running', true)`,
        [name, version],
      );
      return;
    }
    if (live.version > version) throw new NewerProjection(projection, live);
    // What an even older program began to build is of no use any more.
    await sql.query(
      `update projection set status = 'cancelled'
        where name = $1 and version < $2 and not live and status in ('building', 'stopped')`,
      [name, version],
    );
    if (live.version < version) await addGeneration(sql, projection);
  });
}

/** Adds a generation that is to be built; null when one is being built already. Only with the registry's lock. */
export async function addGeneration(
  sql: Parameters<typeof registered>[0],
  { name, version }: AnyProjection,
): Promise<number | null> {
  const { rows } = await sql.query<{ generation: number }>(
    `insert into projection (name, version, generation, position, status)
     select $1, $2, coalesce(max(generation), 0) + 1, '', 'building' from projection where name = $1 and version = $2
     on conflict do nothing returning generation`,
    [name, version],
  );
  return rows[0]?.generation ?? null;
}
