import { getPriority, setPriority } from 'node:os';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';

import { projections } from './catalogue.js';
import { Database } from './platform/database/database.js';
import { LATER, stepBack } from './platform/database/step-back.js';
import { chosenEventStore } from './platform/event-store/chosen-event-store.js';
import { requireOwnLog } from './platform/event-store/own-log.js';
import { pinoLogger } from './platform/logging/pino.logger.js';
import { bystandersOf } from './platform/projections/bystanders.js';
import { workshopHere } from './platform/projections/upkeep.js';
import type { ProjectionWork } from './projection-workshop.js';

/** A thread that builds the rows of one projection, or compares them with the log: the API's thread has other things to do. */
async function work(
  { name, checkId, databaseUrl, logLevel, log, busy }: ProjectionWork,
  signal: AbortSignal,
): Promise<void> {
  const projection = projections.find((one) => one.name === name);
  if (projection === undefined) throw new Error(`there is no projection ${name}`);
  const logger = pinoLogger(logLevel);
  const database = new Database(databaseUrl, stepBack);
  const store = await chosenEventStore(log, database, logger);
  try {
    await store.start();
    // From here on it notices as well when the log is replaced.
    await requireOwnLog(database, store);
    const workshop = workshopHere({ database, store, logger, bystanders: bystandersOf(busy) });
    if (checkId === null) await workshop.build(projection, signal);
    else await workshop.check(projection, checkId, signal);
  } finally {
    await store.close();
    await database.close();
  }
}

if (isMainThread) throw new Error('this is a thread of OMA and no program');
// Linux has it per thread; elsewhere it would be the whole program's.
if (process.platform === 'linux') setPriority(Math.max(LATER, getPriority()));
const interruption = new AbortController();
// Any message means: come to an end.
parentPort?.on('message', () => {
  interruption.abort();
});
await work(workerData as ProjectionWork, interruption.signal).finally(() => parentPort?.close());
