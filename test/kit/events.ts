import type { NewEvent } from '#domain/kernel/event';
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

export async function all<One>(of: AsyncIterable<One>): Promise<One[]> {
  const found: One[] = [];
  for await (const one of of) found.push(one);
  return found;
}
