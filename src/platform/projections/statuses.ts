import type { Position } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import type { EventStore } from '#platform/event-store/event-store.port';

import { deadLetterCounts } from './dead-letters.js';
import type { BuildStatus, ProjectionStatus } from './projection-progress.port.js';
import { type Registered, registered } from './registry.js';
import type { AnyProjection } from './tables.js';

/** How the projections are, by what the registry says: for those that run them and for those that only look. */
export async function projectionStatuses(
  database: Database,
  store: EventStore,
  projections: readonly AnyProjection[],
): Promise<readonly ProjectionStatus[]> {
  const [head, rows, dead] = await Promise.all([
    store.head(),
    registered(database.pool, 'true'),
    deadLetterCounts(database.pool),
  ]);
  const found = projections
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap(({ name, version }) => {
      const own = rows.filter((row) => row.name === name);
      const live = own.find((row) => row.live);
      return live === undefined ? [] : [{ version, live, building: buildOf(own) }];
    });
  return Promise.all(
    found.map(async ({ version, live, building }) => ({
      name: live.name,
      version: live.version,
      ownVersion: version,
      generation: live.generation,
      position: live.position,
      status: live.status === 'stopped' ? ('stopped' as const) : ('running' as const),
      error: live.error,
      stoppedEventId: live.stoppedEventId,
      skippedEvents: dead.find((one) => one.name === live.name && one.version === live.version)?.events ?? 0,
      lagSeconds: live.position >= head ? 0 : await lagSeconds(store, live.position),
      building,
    })),
  );
}

function buildOf(rows: readonly Registered[]): BuildStatus | null {
  const building = rows.findLast(({ live, status }) => !live && (status === 'building' || status === 'stopped'));
  if (building === undefined) return null;
  const { version, generation, status, position, events, error, stoppedEventId, startedAt } = building;
  const build = { version, generation, position, events, error, stoppedEventId, startedAt };
  return { ...build, status: status === 'stopped' ? 'stopped' : 'building' };
}

/** How long the first event behind the position waits; what a projection took last may be from long ago and say nothing. */
async function lagSeconds(store: EventStore, position: Position): Promise<number> {
  for await (const event of store.readAll({ after: position, limit: 1 })) {
    return Math.max(0, (Date.now() - event.recordedAt.getTime()) / 1000);
  }
  return 0;
}
