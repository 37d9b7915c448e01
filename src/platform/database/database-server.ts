import type { Config } from '#platform/config/config';
import type { Logger } from '#platform/logging/logger.port';

import { EmbeddedPostgres } from './embedded-postgres.js';
import { InstanceLock } from './instance-lock.js';

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
