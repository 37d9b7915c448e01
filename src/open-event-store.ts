import type { Database } from './platform/database/database.js';
import type { OpenEventStore } from './platform/event-store/event-store.port.js';
import { PostgresEventStore } from './platform/event-store/postgres/postgres.event-store.js';
import type { Logger } from './platform/logging/logger.port.js';

/** The log that this OMA keeps: one choice for all programs of it. Not started yet. */
export function openEventStore(database: Database, logger: Logger): OpenEventStore {
  return new PostgresEventStore(database, logger);
}
