import type { UserRow } from '#projections/access/user.entity';
import type { AuditRow } from '#projections/audit/audit.entity';

/** One event: who, what, when, why, and what led to it. */
export interface AuditResponse {
  position: string;
  event_id: string;
  recorded_at: string;
  type: string;
  stream: string;
  revision: number;
  actor: { kind: string; id: string; name: string | null };
  correlation_id: string;
  causation_id: string;
  /** The event that led directly to this one, or the command when nothing else did. */
  caused_by: { event_id: string; type: string; stream: string } | { command_id: string };
  command_id: string | null;
  reason: string | null;
  data: object;
}

export function auditResponse(row: AuditRow, cause: AuditRow | undefined, user: UserRow | undefined): AuditResponse {
  return {
    position: row.position,
    event_id: row.eventId,
    recorded_at: row.recordedAt.toISOString(),
    type: row.type,
    stream: row.stream,
    revision: row.revision,
    actor: { kind: row.actorKind, id: row.actorId, name: user?.username ?? null },
    correlation_id: row.correlationId,
    causation_id: row.causationId,
    caused_by:
      cause === undefined
        ? { command_id: row.causationId }
        : { event_id: cause.eventId, type: cause.type, stream: cause.stream },
    command_id: row.commandId,
    reason: row.reason,
    data: row.data,
  };
}
