import { newId } from '#platform/ids/ids';
import { Database } from '#platform/database/database';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';

import { anEvent } from './event-stores.js';
import { silentLog } from './silent-log.js';

/** Appends to the log of a running OMA as another instance would. */
export class OutsideWriter {
  private readonly database: Database;
  readonly store: PostgresEventStore;

  constructor(databaseUrl: string) {
    this.database = new Database(databaseUrl);
    this.store = new PostgresEventStore(this.database, silentLog);
  }

  /** One event in a stream of its own; answers its position. */
  async write(type = 'Noted', data: object = {}, stream = `note-${newId()}`): Promise<string> {
    return (await this.store.append(stream, 'any', [anEvent(type, data)])).position;
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.database.close();
  }
}
