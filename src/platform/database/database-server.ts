import type { Config } from '#platform/config/config';
import type { Logger } from '#platform/logging/logger.port';

import { EmbeddedPostgres, hasDatabase, runningPostgresUrl } from './embedded-postgres.js';
import { DataDirInUse, InstanceLock } from './instance-lock.js';

/** The PostgreSQL that OMA works with; the data folder is held until `close`. */
export interface DatabaseServer {
  /** Holds a password: never log it. */
  readonly url: string;
  close(): Promise<void>;
}

/** The server that was named (DATABASE_URL), or one of OMA's own. Throws what EmbeddedPostgres and InstanceLock throw. */
export async function openDatabaseServer(config: Config, log: Logger): Promise<DatabaseServer> {
  if (config.databaseUrl === undefined) {
    const embedded = await EmbeddedPostgres.start({ dataDir: config.dataDir, log });
    return { url: embedded.url, close: () => embedded.stop() };
  }
  const lock = InstanceLock.take(config.dataDir);
  return {
    url: config.databaseUrl,
    close: () => {
      lock.release();
      return Promise.resolve();
    },
  };
}

/** There is no database to join. */
class NoDatabase extends Error {
  constructor(dataDir: string, what: string) {
    super(`${what} ${dataDir}; set OMA_DATA_DIR or DATABASE_URL as for OMA itself`);
  }
}

/** The same server for a program that works beside a running OMA, or alone; an embedded one that rests runs until `close`. */
export async function joinDatabaseServer(config: Config, log: Logger): Promise<DatabaseServer> {
  const { dataDir, databaseUrl } = config;
  const nothingToClose = () => Promise.resolve();
  if (databaseUrl !== undefined) return { url: databaseUrl, close: nothingToClose };
  if (!hasDatabase(dataDir)) throw new NoDatabase(dataDir, 'there is no OMA in');
  try {
    const embedded = await EmbeddedPostgres.start({ dataDir, log });
    return { url: embedded.url, close: () => embedded.stop() };
  } catch (error) {
    if (!(error instanceof DataDirInUse)) throw error;
    const url = await runningPostgresUrl(dataDir);
    if (url === null) throw new NoDatabase(dataDir, 'no PostgreSQL answers yet for the OMA in');
    return { url, close: nothingToClose };
  }
}
