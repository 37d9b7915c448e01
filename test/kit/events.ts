import type { NewEvent, StoredEvent } from '#domain/kernel/event';
import { newId } from '#platform/ids/ids';

export function anEvent(type = 'Happened', data: object = {}, id = newId()): NewEvent {
  const metadata = {
    actor: { kind: 'user', id: 'somebody' },
    correlationId: 'correlation',
    causationId: 'causation',
    schemaVersion: 1,
  } as const;
  return { id, type, data, metadata };
}

export async function all(events: AsyncIterable<StoredEvent>): Promise<StoredEvent[]> {
  const found: StoredEvent[] = [];
  for await (const event of events) found.push(event);
  return found;
}
