import type { EventStore } from '#platform/event-store/event-store.port';
import { EventStoreDbEventStore } from '#platform/event-store/eventstoredb/eventstoredb.event-store';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';

import { freshDatabase } from './database.js';
import { EventStoreDbDouble } from '#lab/eventstoredb/double';
import { silentLog } from './silent-log.js';
import { freshNamespace, givenEventStore } from './store-settings.js';

export { all, anEvent } from './events.js';

interface OpenedStore {
  readonly store: EventStore;
  readonly clear: () => Promise<void>;
}

export interface StoreKind {
  readonly name: string;
  /** Whether it can look up any id of the log, so that it refuses one that is in use anywhere. */
  readonly knowsEveryId: boolean;
  /** An empty log. */
  readonly open: () => Promise<OpenedStore>;
}

const inMemory: StoreKind = {
  name: 'in memory',
  knowsEveryId: true,
  open: () => Promise.resolve({ store: new InMemoryEventStore(), clear: () => Promise.resolve() }),
};

const inPostgres: StoreKind = {
  name: 'in PostgreSQL',
  knowsEveryId: true,
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
};

const inEventStoreDb: StoreKind = {
  name: `in EventStoreDB (${givenEventStore === undefined ? 'a double' : 'EVENTSTORE_URL'})`,
  knowsEveryId: false,
  open: async () => {
    const double = givenEventStore === undefined ? await EventStoreDbDouble.start() : null;
    const url = givenEventStore ?? double?.url ?? '';
    const store = new EventStoreDbEventStore({ url, namespace: freshNamespace() }, silentLog);
    await store.start();
    const clear = async () => {
      await store.close();
      double?.stop();
    };
    return { store, clear };
  },
};

/** One store of each kind; the same suite runs on all of them. */
export const EVENT_STORES: readonly StoreKind[] = [inMemory, inPostgres, inEventStoreDb];
