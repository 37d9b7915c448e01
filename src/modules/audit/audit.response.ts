import { Shown } from '#platform/http/answer-fields';
import type { AuditRow } from '#projections/audit/audit.entity';

export class ActorResponse {
  @Shown.text('user, appliance or system') kind: string;
  @Shown.text('its id') id: string;
  @Shown.text('the name of a user', { nullable: true }) name: string | null;
}

export class CausingEventResponse {
  @Shown.text('its id') event_id: string;
  @Shown.text('its type') type: string;
  @Shown.text('the stream that holds it') stream: string;
}

export class CausingCommandResponse {
  @Shown.text('its id') command_id: string;
}

/** One event: who, what, when, why, and what led to it. */
export class AuditResponse {
  @Shown.text('its place among all events') position: string;
  @Shown.text('its id') event_id: string;
  @Shown.moment('when it was recorded') recorded_at: string;
  @Shown.text('what happened; docs/events.md has all types') type: string;
  @Shown.text('the stream that holds it') stream: string;
  @Shown.whole('its number in the stream, from 0') revision: number;
  @Shown.nested(ActorResponse, 'who did it') actor: ActorResponse;
  @Shown.text('common to all that followed from one request') correlation_id: string;
  @Shown.text('the event or command that led to it') causation_id: string;
  @Shown.either(
    [CausingEventResponse, CausingCommandResponse],
    'the event that led directly to this one, or the command when nothing else did',
  )
  caused_by: CausingEventResponse | CausingCommandResponse;
  @Shown.text('the command, when one led to it', { nullable: true }) command_id: string | null;
  @Shown.text('the X-Reason of the request', { nullable: true }) reason: string | null;
  @Shown.object('what its type tells; docs/events.md says which members') data: object;
}

export class AuditPageResponse {
  @Shown.list(AuditResponse, 'newest first') events: readonly AuditResponse[];
  @Shown.text('cursor of the next page; null on the last', { nullable: true }) next_cursor: string | null;
}

/** An event with the one that caused it and the name of the user who did it, where there are such. */
export interface ExplainedAuditRow extends AuditRow {
  readonly causeId: string | null;
  readonly causeType: string;
  readonly causeStream: string;
  readonly username: string | null;
}

export function auditResponse(row: ExplainedAuditRow): AuditResponse {
  return {
    position: row.position,
    event_id: row.eventId,
    recorded_at: row.recordedAt.toISOString(),
    type: row.type,
    stream: row.stream,
    revision: row.revision,
    actor: { kind: row.actorKind, id: row.actorId, name: row.username },
    correlation_id: row.correlationId,
    causation_id: row.causationId,
    caused_by:
      row.causeId === null
        ? { command_id: row.causationId }
        : { event_id: row.causeId, type: row.causeType, stream: row.causeStream },
    command_id: row.commandId,
    reason: row.reason,
    data: row.data,
  };
}
