// Writers that append to the log until they are killed: node appender.mjs, with DATABASE_URL and FROM in the environment.
// FROM holds, for each writer, how many of its events were acknowledged. Every event has an id that follows from its writer and
// its number, so that what was stored without an answer is sent again as the same. Each answer becomes a line "WRITER NUMBER".
import { writeSync } from 'node:fs';

import { Database } from '#platform/database/database';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { idFor } from '#platform/ids/ids';

const EVENTS_PER_STREAM = 20;
const said = () => undefined;

const database = new Database(process.env.DATABASE_URL);
const store = new PostgresEventStore(database, { debug: said, info: said, warn: said, error: said });

async function write(writer, from) {
  for (let number = from; ; number += 1) {
    const place = number % EVENTS_PER_STREAM;
    const stream = `soak-${writer}-${(number - place) / EVENTS_PER_STREAM}`;
    const event = {
      id: idFor('appended', String(writer), String(number)),
      type: 'Appended',
      data: { writer, number },
      metadata: {
        actor: { kind: 'system', id: 'soak' },
        correlationId: stream,
        causationId: stream,
        schemaVersion: 1,
      },
    };
    await untilAnswered(() => store.append(stream, place === 0 ? 'no-stream' : BigInt(place - 1), [event]));
    writeSync(1, `${writer} ${number}\n`);
  }
}

/** Whoever gets no answer, since the database was away for long, asks again. A refusal is none: it ends this program. */
async function untilAnswered(append) {
  for (;;) {
    try {
      return await append();
    } catch (error) {
      if (['WrongExpectedRevision', 'EventIdReused', 'InvalidAppend'].includes(error.name)) {
        writeSync(2, `refused: ${error.message}\n`);
        process.exit(3);
      }
    }
  }
}

await Promise.all(JSON.parse(process.env.FROM).map((from, writer) => write(writer, from)));
