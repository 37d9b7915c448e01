import { isTransient } from '#platform/database/transient';

import { EventStoreAway } from '../event-store.port.js';

/** What the port promises: a database that says "not now" is a log that is away. Anything else stays what it is. */
export function refusalOf(error: unknown): unknown {
  return isTransient(error) ? new EventStoreAway(error) : error;
}
