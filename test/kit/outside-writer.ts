import { Database } from '#platform/database/database';
import { chosenEventStore } from '#platform/event-store/chosen-event-store';
import type { OpenEventStore } from '#platform/event-store/event-store.port';
import { newId } from '#platform/ids/ids';

import { anEvent } from './event-stores.js';
import type { RunningOma } from './running-oma.js';
import { silentLog } from './silent-log.js';

/** Appends to the log of a running OMA as another instance would, and reads it, wherever it is. */
export class OutsideWriter {
  private constructor(
    private readonly database: Database,
    readonly store: OpenEventStore,
  ) {}

  static async beside(oma: RunningOma): Promise<OutsideWriter> {
    const database = new Database(oma.databaseUrl);
    const store = await chosenEventStore(oma.logSettings, database, silentLog);
    await store.start();
    return new OutsideWriter(database, store);
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
