import pg from 'pg';

import { Database } from '#platform/database/database';
import { EmbeddedPostgres } from '#platform/database/embedded-postgres';
import { migrate } from '#platform/database/migrate';
import { migrations } from '#platform/database/migrations';
import type { Logger } from '#platform/logging/logger.port';

import type { Leftovers } from './leftovers.js';

const said = () => undefined;
const complained = (fields: object, message: string) => {
  console.error(message, fields);
};
/** What works as it should has nothing to say in a bench. */
export const quietLog: Logger = { debug: said, info: said, warn: complained, error: complained };

/** The PostgreSQL of a bench, with the settings that OMA gives its own: every commit is on the disk before it is answered. */
export class BenchServer {
  private constructor(private readonly url: string) {}

  /** Starts it on the folder's data, made where there is none; it stops with the leftovers, and the folder stays. */
  static async start(folder: string, leftovers: Leftovers): Promise<BenchServer> {
    const server = await EmbeddedPostgres.start({ dataDir: folder, log: quietLog });
    leftovers.add(() => server.stop());
    return new BenchServer(server.url);
  }

  /** Makes a database with OMA's schema and nothing in it; answers its address. */
  async create(name: string): Promise<string> {
    await this.admin(`create database ${name} template template0`);
    const url = this.address(name);
    const database = new Database(url);
    await migrate(database, migrations, quietLog).finally(() => database.close());
    return url;
  }

  address(name: string): string {
    const url = new URL(this.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  async has(name: string): Promise<boolean> {
    return (await this.admin(`select from pg_database where datname = '${name}'`)) > 0;
  }

  private async admin(sql: string): Promise<number> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    return (await client.query(sql).finally(() => client.end())).rowCount ?? 0;
  }
}
