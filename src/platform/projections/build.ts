import type { Position, StoredEvent } from '#domain/kernel/event';
import { pause } from '#platform/clock/pause';
import type { Database, Sql } from '#platform/database/database';
import { isTransient } from '#platform/database/transient';
import { type EventStore, EventStoreAway } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

import { BuildConnection, buildLock } from './build-connection.js';
import { BulkWriter } from './bulk-writer.js';
import { withoutDeadLetters } from './dead-letters.js';
import { pages } from './pages.js';
import { type ApplyBatch, applyOrFindPoison, Moved, Poison } from './poison.js';
import { type Registered, registered } from './registry.js';
import { FarBehind, swap } from './swap.js';
import { type AnyProjection, createIndexes, createTable, tableIsFilled, tableOf } from './tables.js';

const PAGE = 10_000;
const RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
/**
 * Room in which a million rows are sorted for an index without a detour over the disk; and by nobody but the connection's own process,
 * since helpers would not step back for those who wait for answers.
 */
const SORTING = `set maintenance_work_mem = '256MB'; set max_parallel_maintenance_workers = 0`;

export interface BuildParts {
  readonly database: Database;
  readonly store: EventStore;
  readonly logger: Logger;
}

/** How an attempt to build ended; `elsewhere` when another process builds, `none` when nothing is to be built (any more). */
export type BuildOutcome = 'swapped' | 'stopped' | 'elsewhere' | 'none' | 'interrupted';

/** Builds the rows of a projection beside the live ones and puts them in their place. */
export class Build {
  constructor(
    private readonly parts: BuildParts,
    private readonly projection: AnyProjection,
    private readonly pageSize = PAGE,
  ) {}

  /** Goes on where an interrupted build was. Tries for as long as only the database is in the way. */
  async run(signal: AbortSignal): Promise<BuildOutcome> {
    for (let delayMs = RETRY_MS; !signal.aborted; delayMs = Math.min(MAX_RETRY_MS, delayMs * 2)) {
      try {
        return await this.attempt(signal);
      } catch (error) {
        if (!(error instanceof Moved) && (await this.isFinal(error, signal))) return 'stopped';
        await pause(delayMs, signal);
      }
    }
    return 'interrupted';
  }

  private async attempt(signal: AbortSignal): Promise<BuildOutcome> {
    const wanted = await this.row();
    if (wanted === undefined) return 'none';
    const connection = await BuildConnection.open(this.parts.database.url, buildLock(wanted), signal);
    if (connection === null) return signal.aborted ? 'interrupted' : 'elsewhere';
    try {
      // Whoever held the lock before may have moved it, or brought it to its end.
      const row = await this.row();
      if (row?.generation !== wanted.generation) return 'none';
      const table = tableOf(row);
      await createTable(connection.sql, this.projection, table, { unread: true });
      const handled = await withoutDeadLetters(connection.sql, this.projection);
      const writer = new BulkWriter(this.projection, table, handled, row.position === '');
      const rows = new GenerationRows(connection, row, writer);
      this.parts.logger.info(
        { projection: row.name, generation: row.generation },
        'rows are built beside the live ones',
      );
      await this.catchUp(rows, signal);
      await this.index(connection, table, signal);
      return await this.takePlace(connection, rows, signal);
    } finally {
      await connection.close();
    }
  }

  /** An index of many rows takes longer than who stops OMA would wait: the server ends it when the connection is gone. */
  private async index(connection: BuildConnection, table: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const second = await BuildConnection.beside(this.parts.database.url);
    const cut = () => {
      void connection.close();
      void second.close();
    };
    signal.addEventListener('abort', cut, { once: true });
    try {
      for (const { sql } of [connection, second]) await sql.query(SORTING);
      await createIndexes([connection.sql, second.sql], this.projection, table);
      await tableIsFilled(connection.sql, table);
    } finally {
      signal.removeEventListener('abort', cut);
      await second.close();
    }
  }

  /** As often as it takes: what comes in meanwhile is applied, and readers with long reports are waited for. */
  private async takePlace(
    connection: BuildConnection,
    rows: GenerationRows,
    signal: AbortSignal,
  ): Promise<BuildOutcome> {
    while (!signal.aborted) {
      await this.catchUp(rows, signal);
      if (await this.swap(connection, rows)) return 'swapped';
      await pause(RETRY_MS, signal);
    }
    return 'interrupted';
  }

  private async row(): Promise<Registered | undefined> {
    const { name, version } = this.projection;
    const condition = `name = $1 and version = $2 and not live and status = 'building'`;
    return (await registered(this.parts.database.pool, condition, [name, version]))[0];
  }

  /** Up to what is the head of the log now. */
  private async catchUp(rows: GenerationRows, signal: AbortSignal): Promise<void> {
    const stretch = { after: rows.position, upTo: await this.parts.store.head(), maxBatch: this.pageSize, signal };
    let writing: Promise<void> = Promise.resolve();
    try {
      for await (const page of pages(this.parts.store, this.projection, stretch)) {
        // While the page before it is on its way to the disk; where that fails, the loop ends here.
        const prepared = await rows.prepare(page.events);
        await writing;
        writing = rows.advance(page.events, page.upTo, prepared);
        writing.catch(() => undefined);
      }
    } finally {
      await writing;
    }
  }

  private async swap(connection: BuildConnection, rows: GenerationRows): Promise<boolean> {
    const { store, logger } = this.parts;
    try {
      await connection.transaction((sql) => swap(sql, store, this.projection, rows.row, rows.writer));
      logger.info(
        { projection: rows.row.name, generation: rows.row.generation },
        'rebuilt rows took the live ones’ place',
      );
      return true;
    } catch (error) {
      rows.writer.forget();
      if (error instanceof FarBehind) return false;
      if (!isLockTimeout(error)) throw error;
      logger.info({ projection: rows.row.name }, 'readers are in the way of a swap; it is tried again');
      return false;
    }
  }

  private async isFinal(error: unknown, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const isAway = isTransient(error) || error instanceof EventStoreAway;
    if (!isAway && (await this.halt(error))) return true;
    this.parts.logger.warn({ error, projection: this.projection.name }, 'a rebuild could not go on; it tries again');
    return false;
  }

  /** It stays visible, with its error, until somebody lets it try again or cancels it. */
  private async halt(error: unknown): Promise<boolean> {
    const { name, version } = this.projection;
    const poison = error instanceof Poison ? error : null;
    const message = error instanceof Error ? error.message : 'something that is no error was thrown';
    this.parts.logger.error(
      { error: poison?.cause ?? error, projection: name, eventId: poison?.event.id },
      'a rebuild stopped; the rows that are live are untouched',
    );
    return this.parts.database
      .query(
        `update projection set status = 'stopped', error = $3, stopped_event_id = $4, updated_at = now()
          where name = $1 and version = $2 and not live and status = 'building'`,
        [name, version, message, poison?.event.id ?? null],
      )
      .then(
        () => true,
        () => false,
      );
  }
}

type Write = (sql: Sql) => Promise<void>;

/** The rows being built and their checkpoint, which move together. */
class GenerationRows {
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

const LOCK_NOT_AVAILABLE = '55P03';

function isLockTimeout(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === LOCK_NOT_AVAILABLE;
}
