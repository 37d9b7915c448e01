import { Shown } from '#platform/http/answer-fields';
import type { ProjectionStatus } from '#platform/projections/projection-progress.port';

export class ProjectionResponse {
  @Shown.text('its name') name: string;
  @Shown.whole('its version') version: number;
  @Shown.text('up to which event it is') position: string;
  @Shown.text('how it is') status: string;
  @Shown.text('why it stopped', { nullable: true }) error: string | null;
  @Shown.text('the event that it stopped at', { nullable: true }) stopped_event_id: string | null;
  @Shown.number('how old the oldest event is that it has not seen') lag_seconds: number;
}

export class ProjectionsResponse {
  @Shown.list(ProjectionResponse, 'all of them') projections: readonly ProjectionResponse[];
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
