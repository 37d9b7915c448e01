import pg from 'pg';

import type { Database } from './database.js';

const SETTINGS_WITHIN_MS = 5000;

/**
 * A connection for one who asks again and again, one thing at a time. Nobody else's work stands before it, and what a pool does
 * around each query (three timers among it) is spared. It is made for the first query, and anew after one that it didn't survive.
 */
export class OwnConnection {
  private client: Promise<pg.Client> | null = null;
  private serverProcess: number | null = null;
  private closed = false;

  /** `settings` is a statement that each connection begins with. */
  constructor(
    private readonly database: Pick<Database, 'connecting'>,
    private readonly applicationName: string,
    private readonly settings: string,
  ) {}

  /**
   * Without an answer within `withinMs` it rejects, as transient as any lost connection, and the connection is given up: what was
   * asked may have been done. Throws ConnectionClosed after `close`.
   */
  async query<Row extends pg.QueryResultRow>(query: pg.QueryConfig, withinMs: number): Promise<readonly Row[]> {
    if (this.closed) throw new ConnectionClosed(this.applicationName);
    const connecting = (this.client ??= this.connect());
    try {
      const client = await connecting;
      return (await client.query<Row>(limited(query, withinMs))).rows;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) this.giveUp(connecting);
      throw error;
    }
  }

  /** The server's process behind it, as its notifications name it; null while there is none. */
  get processId(): number | null {
    return this.serverProcess;
  }

  /** Cuts what is under way off. */
  async close(): Promise<void> {
    this.closed = true;
    const { client } = this;
    this.client = null;
    await client?.then((open) => open.end()).catch(() => undefined);
  }

  private connect(): Promise<pg.Client> {
    const client = new pg.Client({ ...this.database.connecting, application_name: this.applicationName });
    const connecting = this.prepared(client);
    const lost = () => {
      this.giveUp(connecting);
    };
    // Without a listener an error would end the process.
    client.on('error', lost);
    client.on('end', lost);
    return connecting;
  }

  private async prepared(client: pg.Client): Promise<pg.Client> {
    try {
      await client.connect();
      await client.query(limited({ text: this.settings }, SETTINGS_WITHIN_MS));
      this.serverProcess = serverProcessOf(client);
      return client;
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
  }

  private giveUp(connecting: Promise<pg.Client>): void {
    if (this.client !== connecting) return;
    this.client = null;
    this.serverProcess = null;
    connecting.then((client) => client.end()).catch(() => undefined);
  }
}

/** As notifications name it. It is not in the types of `pg`. */
function serverProcessOf(client: pg.Client): number | null {
  return (client as unknown as { readonly processID: number | null }).processID;
}

/** With a limit that is not in the types of `pg`, which has it all the same. */
function limited(query: pg.QueryConfig, withinMs: number): pg.QueryConfig {
  return { ...query, query_timeout: withinMs } as pg.QueryConfig;
}

/** Somebody asks who has said that nothing would be asked any more. */
class ConnectionClosed extends Error {
  constructor(applicationName: string) {
    super(`"${applicationName}" was closed`);
    this.name = 'ConnectionClosed';
  }
}
