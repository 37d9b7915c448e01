import pg from 'pg';

import type { Append } from './writers.js';

/** All that the log's table has, and a sequence for the positions: who writes by hand has no lane. */
const TABLE = `create table by_hand (like es.event including all);
  alter table by_hand alter column position add generated always as identity`;
const INSERT = `insert into by_hand (stream, revision, id, type, data, metadata, recorded_at)
  values ($1, $2, $3, $4, $5, $6, clock_timestamp()) returning position`;

/** The baseline of `append`: connections that insert, one event per transaction, and check nothing but the unique indexes. */
export class HandWriters {
  private constructor(private readonly clients: readonly pg.Client[]) {}

  /** Makes the table and opens a connection for each writer. */
  static async connect(url: string, writers: number): Promise<HandWriters> {
    const clients = Array.from({ length: writers }, () => new pg.Client({ connectionString: url }));
    await Promise.all(clients.map((client) => client.connect()));
    await clients[0]?.query(TABLE);
    return new HandWriters(clients);
  }

  /** Each writer inserts what is its own, one after the other. */
  async write(round: readonly (readonly Append[])[]): Promise<void> {
    await Promise.all(
      this.clients.slice(0, round.length).map(async (client, index) => {
        for (const { stream, expected, events } of round[index] ?? []) {
          const [{ id, type, data, metadata }] = events;
          const revision = typeof expected === 'bigint' ? expected + 1n : 0n;
          const values = [stream, revision, id, type, JSON.stringify(data), JSON.stringify(metadata)];
          await client.query({ name: 'by hand', text: INSERT, values });
        }
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end()));
  }
}
