import type { Position } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import type { EventStore } from '#platform/event-store/event-store.port';

import type { BuildStatus, ProjectionStatus } from './projection-progress.port.js';
import { type Registered, registered } from './registry.js';
import type { AnyProjection } from './tables.js';

/** How the projections are, by what the registry says: for those that run them and for those that only look. */
export async function projectionStatuses(
  database: Database,
  store: EventStore,
  projections: readonly AnyProjection[],
): Promise<readonly ProjectionStatus[]> {
  const head = await store.head();
  const rows = await registered(database.pool, 'name = any($1)', [projections.map(({ name }) => name)]);
  return projections
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((projection) => {
      const own = rows.filter(({ name }) => name === projection.name);
      const live = own.find((row) => row.live);
      return live === undefined ? [] : [statusOf(projection, live, own, head)];
    });
}

function statusOf(
  projection: AnyProjection,
  live: Registered,
  rows: readonly Registered[],
  head: Position,
): ProjectionStatus {
  return {
    name: live.name,
    version: live.version,
    ownVersion: projection.version,
    generation: live.generation,
    position: live.position,
    status: live.status === 'stopped' ? 'stopped' : 'running',
    error: live.error,
    stoppedEventId: live.stoppedEventId,
    lagSeconds: live.position >= head ? 0 : lagSeconds(live.lastRecordedAt),
    building: buildOf(rows),
  };
}

function buildOf(rows: readonly Registered[]): BuildStatus | null {
  const building = rows.findLast(({ live, status }) => !live && (status === 'building' || status === 'stopped'));
  if (building === undefined) return null;
  const { version, generation, status, position, events, error, stoppedEventId, startedAt } = building;
  const build = { version, generation, position, events, error, stoppedEventId, startedAt };
  return { ...build, status: status === 'stopped' ? 'stopped' : 'building' };
}

function lagSeconds(lastRecordedAt: Date | null): number {
  return lastRecordedAt === null ? 0 : Math.max(0, (Date.now() - lastRecordedAt.getTime()) / 1000);
}
