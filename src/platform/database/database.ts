import pg from 'pg';

import { Connections } from './connections.js';
import { preparedName } from './prepared.js';

/** Who waits longer for a connection, or for a free one, is told that it can't be had. */
const CONNECT_WITHIN_MS = 15_000;
/** A peer that is gone without a word is noticed by asking it. */
const KEEP_ALIVE_AFTER_MS = 10_000;

/** What every connection of the write path and the machinery is made with. */
export const CONNECTING = {
  connectionTimeoutMillis: CONNECT_WITHIN_MS,
  keepAlive: true,
  keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
} as const;

export type Sql = Pick<pg.ClientBase, 'query'>;

/** The PostgreSQL behind the write path and the machinery. bigint columns arrive as strings, as `pg` gives them. */
export class Database {
  readonly pool: pg.Pool;
  /** All that were made as `connecting` says. */
  readonly connections = new Connections();

  /** `prepare` is what is done with each connection before it is used; a promise that it returns is waited for. */
  constructor(
    readonly url: string,
    prepare: (sql: Sql) => unknown = () => undefined,
  ) {
    this.pool = new pg.Pool({
      onConnect: prepare,
      ...{ ...this.connecting, max: 10, application_name: 'oma' },
    });
    // A connection lost while idle is replaced at the next use; without a listener it would end the process.
    this.pool.on('error', () => undefined);
    // So would one lost while it is in use, beside the rejection of what it was asked.
    this.pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** What a connection beside the pool is made with, too. */
  get connecting(): pg.ClientConfig {
    return { connectionString: this.url, stream: this.connections.stream, ...CONNECTING };
  }

  /** Under a `name` each connection plans the statement once; see `prepared`. */
  async query<Row extends pg.QueryResultRow>(
    sql: string,
    values: readonly unknown[] = [],
    name?: string,
  ): Promise<Row[]> {
    const result = await this.pool.query<Row>({ ...(name !== undefined && { name }), text: sql, values: [...values] });
    return result.rows;
  }

  /** The same for a statement that is asked again and again: each connection plans it once. The text must be written down in the code. */
  prepared<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.query<Row>(text, values, preparedName(text));
  }

  /** Runs `work` in one transaction; anything thrown rolls it back. */
  async transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      const result = await work(client);
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch((rollback: unknown) => {
        broken = rollback instanceof Error ? rollback : new Error('rollback failed');
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}
