import type { ProjectionStatus } from '#platform/projections/projection-progress.port';

export interface ProjectionResponse {
  name: string;
  version: number;
  position: string;
  status: string;
  error: string | null;
  stopped_event_id: string | null;
  lag_seconds: number;
}

export function projectionResponse(status: ProjectionStatus): ProjectionResponse {
  return {
    name: status.name,
    version: status.version,
    position: status.position,
    status: status.status,
    error: status.error,
    stopped_event_id: status.stoppedEventId,
    lag_seconds: status.lagSeconds,
  };
}
