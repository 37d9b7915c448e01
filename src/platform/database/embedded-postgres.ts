import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { type Logger } from '#platform/logging/logger.port';

import { InstanceLock } from './instance-lock.js';
import { type AccountKind, chooseAccountKind, homeOf, openAccount } from './postgres-account.js';
import { findBinaries } from './postgres-binaries.js';
import { openCluster } from './postgres-cluster.js';
import {
  adoptPostmaster,
  connectionUrl,
  endPostmaster,
  type Postmaster,
  runningListening,
  startPostmaster,
} from './postmaster.js';

export interface EmbeddedPostgresOptions {
  /** OMA's data folder; made when it is missing. The database lies in `postgres` below it. */
  readonly dataDir: string;
  readonly log: Logger;
  /** Server settings such as `fsync=off`, for throw-away servers only: the defaults are the durable ones. */
  readonly settings?: readonly string[];
  /** Chosen by what this machine allows, unless given. */
  readonly account?: AccountKind;
}

/**
 * A PostgreSQL of OMA's own, from the programs of an npm package: no installation, no system service. It listens on a
 * socket inside the data folder (on 127.0.0.1 where that path is too long), takes only a random password kept in a 0600
 * file, and outlives an OMA that is killed: the next start adopts it.
 */
export class EmbeddedPostgres {
  private constructor(
    /** Holds the password: never log it, never pass it on a command line. */
    readonly url: string,
    readonly adopted: boolean,
    private readonly postmaster: Postmaster,
    private readonly lock: InstanceLock,
  ) {}

  /**
   * Holds the data folder (see InstanceLock) until `stop`, and answers when the database takes queries.
   * Throws DataDirInUse or EmbeddedPostgresUnavailable, both with a message fit for the user.
   */
  static async start({
    dataDir,
    log,
    settings = [],
    account: kind,
  }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
    const folder = resolve(dataDir);
    const lock = InstanceLock.take(folder);
    try {
      const account = openAccount(kind ?? chooseAccountKind(), folder, await findBinaries());
      const cluster = await openCluster(account, settings);
      const outlived = await adoptPostmaster(account, cluster);
      const postmaster = outlived ?? (await startPostmaster(account, cluster, settings));
      const { pid, listening } = postmaster;
      log.info({ pid, ...listening, adopted: outlived !== undefined }, 'the embedded PostgreSQL answers');
      return new EmbeddedPostgres(connectionUrl(cluster, listening), outlived !== undefined, postmaster, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Ends the server cleanly, waits until it is gone, and lets go of the data folder. Connections still open are cut. */
  async stop(): Promise<void> {
    await endPostmaster(this.postmaster, 'SIGINT', 30);
    this.lock.release();
  }
}

/** Whether a database was ever made for this data folder. */
export function hasDatabase(dataDir: string): boolean {
  return existsSync(join(homeOf(chooseAccountKind(), resolve(dataDir)), 'data'));
}

/** The address of the server that somebody else runs in this data folder, null when none does. Holds the password. */
export async function runningPostgresUrl(dataDir: string): Promise<string | null> {
  const { home } = openAccount(chooseAccountKind(), resolve(dataDir), await findBinaries());
  const data = join(home, 'data');
  const passwordFile = join(home, 'password');
  const listening = runningListening(data);
  if (listening === undefined || !existsSync(passwordFile)) return null;
  return connectionUrl({ data, password: readFileSync(passwordFile, 'utf8') }, listening);
}
