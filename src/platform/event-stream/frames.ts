import type { Position, StoredEvent } from '#domain/kernel/event';

/** Server-sent events, as the HTML standard describes their text. */

/**
 * What a connection begins with: whoever is cut off may be back after a second, and goes on where it began if nothing came
 * before that. Without an id who comes back would begin at the end of the log, which is further by then.
 */
export function greeting(after: Position): string {
  return after === '' ? 'retry: 1000\n\n' : `retry: 1000\nid: ${after}\n\n`;
}

/** Says that the connection lives; readers ignore it. */
export const HEARTBEAT = ': still here\n\n';

/** One event, with the members that the audit trail shows of it. Its id is its position. */
export function frameOf(event: StoredEvent): string {
  const { actor, correlationId, causationId, commandId, reason } = event.metadata;
  const shown = {
    position: event.position,
    event_id: event.id,
    recorded_at: event.recordedAt.toISOString(),
    type: event.type,
    stream: event.stream,
    revision: Number(event.revision),
    actor: { kind: actor.kind, id: actor.id },
    correlation_id: correlationId,
    causation_id: causationId,
    command_id: commandId ?? null,
    reason: reason ?? null,
    data: event.data,
  };
  return `id: ${event.position}\nevent: ${event.type}\ndata: ${JSON.stringify(shown)}\n\n`;
}

/** Moves the reader's place on without an event: nothing before it has to be looked at again. */
export function placeFrame(position: Position): string {
  return `id: ${position}\n\n`;
}

/** Why the connection ends, for people who watch it. */
export function closingFrame(reason: string): string {
  return `: closed, ${reason}\n\n`;
}
