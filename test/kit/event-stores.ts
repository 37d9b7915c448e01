import { newId } from '#platform/ids/ids';
import type { NewEvent, StoredEvent } from '#domain/kernel/event';
import type { EventStore } from '#platform/event-store/event-store.port';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';

import { freshDatabase } from './database.js';
import { silentLog } from './silent-log.js';

/** One store of each kind; the same suite runs on all of them. */
export const EVENT_STORES: readonly {
  readonly name: string;
  readonly open: () => Promise<{ store: EventStore; clear: () => Promise<void> }>;
}[] = [
  {
    name: 'in memory',
    open: () => Promise.resolve({ store: new InMemoryEventStore(), clear: () => Promise.resolve() }),
  },
  {
    name: 'in PostgreSQL',
    open: async () => {
      const fresh = await freshDatabase();
      const store = new PostgresEventStore(fresh.database, silentLog);
      await store.start();
      const clear = async () => {
        await store.close();
        await fresh.drop();
      };
      return { store, clear };
    },
  },
];

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
