import type { StoredEvent } from '#domain/kernel/event';
import type { Projection } from '#domain/kernel/projection';

/** One event as auditors see it: who, what, when, why, and what led to it. */
export type AuditRecord = {
  event_id: string;
  position: string;
  recorded_at: string;
  type: string;
  stream: string;
  revision: number;
  actor_kind: string;
  actor_id: string;
  correlation_id: string;
  causation_id: string;
  command_id: string | null;
  reason: string | null;
  data: object;
};

/** Every event, as it is: nothing is left out and nothing ever changes. */
export const auditProjection: Projection<AuditRecord> = {
  name: 'audit',
  version: 1,
  table: {
    key: 'event_id',
    columns: {
      event_id: 'uuid',
      position: 'text',
      recorded_at: 'timestamptz',
      type: 'text',
      stream: 'text',
      revision: 'bigint',
      actor_kind: 'text',
      actor_id: 'text',
      correlation_id: 'text',
      causation_id: 'text',
      command_id: 'text',
      reason: 'text',
      data: 'jsonb',
    },
    indexes: [
      ['position'],
      ['actor_id', 'position'],
      ['type', 'position'],
      ['stream', 'position'],
      ['correlation_id', 'position'],
      ['recorded_at'],
    ],
  },
  handles: 'all',
  insertOnly: true,
  restMs: 40,
  keysOf: (event) => [event.id],
  evolve: (_row, event) => rowOf(event),
};

function rowOf(event: StoredEvent): AuditRecord {
  const { actor, correlationId, causationId, commandId, reason } = event.metadata;
  return {
    event_id: event.id,
    position: event.position,
    recorded_at: event.recordedAt.toISOString(),
    type: event.type,
    stream: event.stream,
    revision: Number(event.revision),
    actor_kind: actor.kind,
    actor_id: actor.id,
    correlation_id: correlationId,
    causation_id: causationId,
    command_id: commandId ?? null,
    reason: reason ?? null,
    data: event.unparsed ?? event.data,
  };
}
