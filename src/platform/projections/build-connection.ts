import pg from 'pg';

import { pause } from '#platform/clock/pause';
import { CONNECTING, type Database, type Sql } from '#platform/database/database';
import { stepBack } from '#platform/database/step-back';

import type { Generation } from './tables.js';

const SLOTS = [1, 2];
const SLOT_LOOK_MS = 250;

/**
 * The connection that builds a set of rows. It holds a lock in the name of what it builds, so that one process does, and one
 * of two places, so that no more than two are built at once, whichever instance does it. Both go with the connection: who
 * is killed is succeeded at once. Neither is what keeps the rows right; the checkpoint's row lock does.
 */
export class BuildConnection {
  private constructor(private readonly client: pg.Client) {}

  /** Null when somebody else builds it. Waits for a place; null too when the signal is aborted meanwhile. */
  static async open(url: string, what: string, signal: AbortSignal): Promise<BuildConnection | null> {
    const connection = await this.beside(url);
    try {
      if (await connection.isFirst(what, signal)) return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
    await connection.close();
    return null;
  }

  /** Another one for who builds already. */
  static async beside(url: string): Promise<BuildConnection> {
    const client = new pg.Client({ connectionString: url, application_name: 'oma rebuild', ...CONNECTING });
    // The query under way fails by itself; without a listener a lost connection would end the process.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await stepBack(client);
      return new BuildConnection(client);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  private async isFirst(what: string, signal: AbortSignal): Promise<boolean> {
    if (!(await locked(this.client, what, 0))) return false;
    while (!signal.aborted) {
      for (const slot of SLOTS) if (await locked(this.client, 'oma build slot', slot)) return true;
      await pause(SLOT_LOOK_MS, signal);
    }
    return false;
  }

  get sql(): Sql {
    return this.client;
  }

  async transaction<Result>(work: (sql: Sql) => Promise<Result>, begin = 'begin'): Promise<Result> {
    await this.client.query(begin);
    try {
      const result = await work(this.client);
      await this.client.query('commit');
      return result;
    } catch (error) {
      await this.client.query('rollback').catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
}

async function locked(client: pg.Client, what: string, slot: number): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock(hashtext($1), $2) as locked', [
    what,
    slot,
  ]);
  return rows[0]?.locked === true;
}

/** The name of the lock under which a generation is built, and removed. */
export function buildLock({ name, version, generation }: Generation): string {
  return `oma build of ${name} v${version} g${generation}`;
}

/** The name of the lock under which rows are compared. */
export function checkLock(id: string): string {
  return `oma check ${id}`;
}

/** Whether nobody has that lock just now: cheaper to know before a thread and its connections are begun. */
export async function isUnlocked(database: Database, what: string): Promise<boolean> {
  const [found] = await database.query<{ free: boolean }>('select pg_try_advisory_xact_lock(hashtext($1), 0) as free', [
    what,
  ]);
  return found?.free === true;
}
