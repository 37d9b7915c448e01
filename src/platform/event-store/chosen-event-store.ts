import type { Config } from '#platform/config/config';
import type { Database } from '#platform/database/database';
import type { Logger } from '#platform/logging/logger.port';

import type { OpenEventStore } from './event-store.port.js';
import { checkedConnectionString } from './eventstoredb/connection-string.js';
import { PostgresEventStore } from './postgres/postgres.event-store.js';

/** What of the settings says which log it is. */
export type LogSettings = Pick<Config, 'eventStoreUrl' | 'eventStoreNamespace'>;

/** Where the log is, in words for a person: hosts at most, since an address may hold a password. */
export function placeOfLog({ eventStoreUrl }: LogSettings): string {
  if (eventStoreUrl === null) return 'the log in the database';
  return `the event store at ${eventStoreUrl.replace(/^[^/]*\/\/(?:[^@/]*@)?/, '').replace(/[/?].*$/, '')}`;
}

/**
 * The log that the settings name: EventStoreDB when there is an address of one, else PostgreSQL. Not started yet. The client of
 * EventStoreDB takes a fifth of a second to load: only who needs it waits for that, each thread that builds rows among them.
 */
export async function chosenEventStore(
  config: LogSettings,
  database: Database,
  logger: Logger,
): Promise<OpenEventStore> {
  const { eventStoreUrl, eventStoreNamespace: namespace } = config;
  if (eventStoreUrl === null) return new PostgresEventStore(database, logger);
  const { EventStoreDbEventStore } = await import('./eventstoredb/eventstoredb.event-store.js');
  return new EventStoreDbEventStore({ url: checkedConnectionString(eventStoreUrl), namespace }, logger);
}
