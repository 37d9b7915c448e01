import { Shown } from '#platform/http/answer-fields';
import type { CheckStatus } from '#platform/projections/check-log';
import type { BuildStatus, ProjectionStatus } from '#platform/projections/projection-progress.port';

class BuildResponse {
  @Shown.whole('the version of the code that makes the rows') version: number;
  @Shown.whole('the how-manieth rows of that version') generation: number;
  @Shown.text('how the build is') status: string;
  @Shown.text('up to which event it is') position: string;
  @Shown.whole('how many events it has taken') events: number;
  @Shown.text('why it stopped', { nullable: true }) error: string | null;
  @Shown.text('the event that it stopped at', { nullable: true }) stopped_event_id: string | null;
  @Shown.moment('when it began') started_at: string;
}

export class ProjectionResponse {
  @Shown.text('its name') name: string;
  @Shown.whole('its version') version: number;
  @Shown.whole('the how-manieth rows of that version') generation: number;
  @Shown.text('up to which event it is') position: string;
  @Shown.text('how it is') status: string;
  @Shown.text('why it stopped', { nullable: true }) error: string | null;
  @Shown.text('the event that it stopped at', { nullable: true }) stopped_event_id: string | null;
  @Shown.whole(
    'how many events this version goes on without: rows made since lack them, and a verification does not look for them',
  )
  skipped_events: number;
  @Shown.number('how old the oldest event is that it has not seen') lag_seconds: number;
  @Shown.nested(BuildResponse, 'the rows that are being built beside those that are read; null when there are none', {
    nullable: true,
  })
  building: BuildResponse | null;
}

export class ProjectionsResponse {
  @Shown.list(ProjectionResponse, 'all of them') projections: readonly ProjectionResponse[];
}

class RowDifference {
  @Shown.text('the key of the row') key: string;
  @Shown.text('missing, extra or different') kind: string;
  @Shown.texts('the columns that differ') columns: readonly string[];
}

export class CheckResponse {
  @Shown.text('its id') check_id: string;
  @Shown.text('which projection') projection: string;
  @Shown.whole('the version of its rows') version: number;
  @Shown.text('how the verification is') status: string;
  @Shown.text('at which position both were compared: where the projection was', { nullable: true }) position:
    string | null;
  @Shown.flag('whether the projection had stopped there, and does not go on by itself', { nullable: true })
  stopped: boolean | null;
  @Shown.text('where the log ended when the verification began', { nullable: true }) log_position: string | null;
  @Shown.whole(
    'how many events up to there the projection had yet to take, orders to compare aside: its rows show nothing of them',
    {
      nullable: true,
    },
  )
  events_behind: number | null;
  @Shown.whole('how many rows the log gives up to position', { nullable: true }) rows: number | null;
  @Shown.whole('rows that are not there', { nullable: true }) missing: number | null;
  @Shown.whole('rows that should not be there', { nullable: true }) extra: number | null;
  @Shown.whole('rows that say something else', { nullable: true }) different: number | null;
  @Shown.list(RowDifference, 'the first of them') examples: readonly RowDifference[];
  @Shown.text('why it failed', { nullable: true }) error: string | null;
  @Shown.moment('when it began') started_at: string;
  @Shown.moment('when it ended', { nullable: true }) ended_at: string | null;
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
    skipped_events: status.skippedEvents,
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
    stopped: check.standing?.stopped ?? null,
    log_position: check.standing?.head ?? null,
    events_behind: check.standing?.behind ?? null,
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
