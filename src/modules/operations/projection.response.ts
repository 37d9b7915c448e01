import type { CheckStatus } from '#platform/projections/check-log';
import type { BuildStatus, ProjectionStatus } from '#platform/projections/projection-progress.port';

export interface BuildResponse {
  version: number;
  generation: number;
  status: string;
  position: string;
  events: number;
  error: string | null;
  stopped_event_id: string | null;
  started_at: string;
}

export interface ProjectionResponse {
  name: string;
  version: number;
  generation: number;
  position: string;
  status: string;
  error: string | null;
  stopped_event_id: string | null;
  lag_seconds: number;
  building: BuildResponse | null;
}

export interface CheckResponse {
  check_id: string;
  projection: string;
  version: number;
  status: string;
  position: string | null;
  rows: number | null;
  missing: number | null;
  extra: number | null;
  different: number | null;
  examples: readonly { key: string; kind: string; columns: readonly string[] }[];
  error: string | null;
  started_at: string;
  ended_at: string | null;
}

export function projectionResponse(status: ProjectionStatus): ProjectionResponse {
  return {
    name: status.name,
    version: status.version,
    generation: status.generation,
    position: status.position,
    status: status.status,
    error: status.error,
    stopped_event_id: status.stoppedEventId,
    lag_seconds: status.lagSeconds,
    building: status.building === null ? null : buildResponse(status.building),
  };
}

function buildResponse(build: BuildStatus): BuildResponse {
  return {
    version: build.version,
    generation: build.generation,
    status: build.status,
    position: build.position,
    events: build.events,
    error: build.error,
    stopped_event_id: build.stoppedEventId,
    started_at: build.startedAt.toISOString(),
  };
}

/** What is known while nothing was compared yet. */
const NOTHING_YET = { rows: null, missing: null, extra: null, different: null, examples: [] };

export function checkResponse(check: CheckStatus): CheckResponse {
  const { rows, missing, extra, different, examples } = check.comparison ?? NOTHING_YET;
  return {
    check_id: check.id,
    projection: check.name,
    version: check.version,
    status: check.status,
    position: check.position,
    rows,
    missing,
    extra,
    different,
    examples: examples.map(({ key, kind, columns }) => ({ key, kind, columns })),
    error: check.error,
    started_at: check.startedAt.toISOString(),
    ended_at: check.endedAt?.toISOString() ?? null,
  };
}
