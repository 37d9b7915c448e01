import type { Position, StoredEvent } from '#domain/kernel/event';
import type { Sql } from '#platform/database/database';

import type { BuildConnection } from './build-connection.js';
import type { BulkWriter } from './bulk-writer.js';
import { type ApplyBatch, applyOrFindPoison, Moved } from './poison.js';
import type { Registered } from './registry.js';

type Write = (sql: Sql) => Promise<void>;

/** The rows being built and their checkpoint, which move together. */
export class GenerationRows {
  position: Position;

  constructor(
    private readonly connection: BuildConnection,
    readonly row: Registered,
    readonly writer: BulkWriter,
  ) {
    this.position = row.position;
  }

  /** Null when an event of it can't be handled; which one is found out when its turn comes. */
  prepare(events: readonly StoredEvent[]): Promise<Write | null> {
    return this.writer.prepare(events).catch(() => null);
  }

  async advance(events: readonly StoredEvent[], upTo: Position, prepared: Write | null): Promise<void> {
    const apply: ApplyBatch = async (part, from, border) => {
      const write = part === events ? prepared : null;
      await this.write(write ?? (await this.writer.prepare(part)), part, from, border);
    };
    await applyOrFindPoison(apply, events, this.position, upTo);
  }

  private async write(write: Write, events: readonly StoredEvent[], from: Position, upTo: Position): Promise<void> {
    const id = [this.row.name, this.row.version, this.row.generation];
    try {
      await this.connection.transaction(async (sql) => {
        // A crash may take back the last pages together with their checkpoint; they are built again.
        await sql.query('set local synchronous_commit = off');
        const { rows } = await sql.query<{ position: string }>(
          `select position from projection
            where name = $1 and version = $2 and generation = $3 and not live and status = 'building' for update`,
          id,
        );
        if (rows[0]?.position !== from) throw new Moved();
        await write(sql);
        await sql.query(
          `update projection set position = $4, events = events + $5, updated_at = now(),
                  last_recorded_at = coalesce($6, last_recorded_at)
            where name = $1 and version = $2 and generation = $3`,
          [...id, upTo, events.length, events.at(-1)?.recordedAt ?? null],
        );
      });
      this.position = upTo;
    } catch (error) {
      this.writer.forget();
      throw error;
    }
  }
}
