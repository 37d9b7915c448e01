import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Config } from '#platform/config/config';
import type { LogSettings } from '#platform/event-store/chosen-event-store';
import type { Logger } from '#platform/logging/logger.port';

import { Oma } from '../../src/oma.js';
import { ApiClient } from './api-client.js';
import { freshDatabase } from './database.js';
import { silentLog } from './silent-log.js';
import { ownLogSettings } from './store-settings.js';

export const ADMIN_PASSWORD = 'canary-admin-password';

/** The whole program in this process, with a database and a data folder of its own. */
export interface RunningOma {
  readonly api: ApiClient;
  readonly dataDir: string;
  readonly databaseUrl: string;
  /** Which log it has. */
  readonly logSettings: LogSettings;
  /** Stops it cleanly and starts it again on the same data. */
  restart(): Promise<void>;
  /** Stops it and removes everything. */
  clear(): Promise<void>;
}

export async function runningOma(
  settings: Readonly<Record<string, string>> = {},
  logger: Logger = silentLog,
): Promise<RunningOma> {
  const dataDir = mkdtempSync(join(tmpdir(), 'oma-e2e-'));
  const fresh = await freshDatabase();
  const config = Config.from({
    OMA_PORT: '0',
    OMA_DATA_DIR: dataDir,
    DATABASE_URL: fresh.url,
    OMA_ADMIN_PASSWORD: ADMIN_PASSWORD,
    ...ownLogSettings(),
    ...settings,
  });
  const { signal } = new AbortController();
  const start = () => Oma.start({ config, logger, say: () => undefined, isTerminal: false, swagger: false, signal });
  let oma = await start();
  const api = new ApiClient(oma.url);
  await api.logIn('admin', ADMIN_PASSWORD);
  return {
    api,
    dataDir,
    databaseUrl: fresh.url,
    logSettings: config,
    restart: async () => {
      await oma.stop();
      oma = await start();
      api.url = oma.url;
    },
    clear: async () => {
      await oma.stop();
      await fresh.drop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
