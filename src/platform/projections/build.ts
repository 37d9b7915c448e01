import { pause } from '#platform/clock/pause';
import type { Database } from '#platform/database/database';
import { isTransient } from '#platform/database/transient';
import { type EventStore, EventStoreAway } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

import { BuildConnection, buildLock } from './build-connection.js';
import { BulkWriter } from './bulk-writer.js';
import { type Bystanders, nobodyWaits } from './bystanders.js';
import { withoutDeadLetters } from './dead-letters.js';
import { GenerationRows } from './generation-rows.js';
import { pages } from './pages.js';
import { Moved, Poison } from './poison.js';
import { type Registered, wantedBuild } from './registry.js';
import { FarBehind, swap } from './swap.js';
import { type AnyProjection, createIndexes, createTable, tableIsFilled, tableOf } from './tables.js';

const PAGE = 10_000;
const RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
/** A report may last for hours, and each try to swap keeps its view's other readers waiting for a moment. */
const MAX_HELD_UP_MS = 10_000;
/**
 * Room in which a million rows are sorted for an index without a detour over the disk; and by nobody but the connection's own process,
 * since helpers would not step back for those who wait for answers.
 */
const SORTING = `set maintenance_work_mem = '256MB'; set max_parallel_maintenance_workers = 0`;

export interface BuildParts {
  readonly database: Database;
  readonly store: EventStore;
  readonly logger: Logger;
  /** For whom a build makes room; nobody where it isn't said. */
  readonly bystanders?: Bystanders;
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
      const helper = { sql: second.sql, isFree: () => !this.bystanders.wait() };
      await createIndexes(connection.sql, this.projection, table, helper);
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
    let heldUpMs = RETRY_MS;
    while (!signal.aborted) {
      await this.catchUp(rows, signal);
      const tried = await this.swap(connection, rows);
      if (tried === 'swapped') return tried;
      await pause(tried === 'held up' ? heldUpMs : RETRY_MS, signal);
      if (tried === 'held up') heldUpMs = Math.min(MAX_HELD_UP_MS, heldUpMs * 2);
    }
    return 'interrupted';
  }

  private row(): Promise<Registered | undefined> {
    return wantedBuild(this.parts.database, this.projection);
  }

  /**
   * Up to what is the head of the log now. Where others wait for answers one thing is done after the other, and nothing for as long
   * again.
   */
  private async catchUp(rows: GenerationRows, signal: AbortSignal): Promise<void> {
    const { bystanders } = this;
    const upTo = await this.parts.store.head();
    const stretch = { after: rows.position, upTo, maxBatch: this.pageSize, signal, ahead: () => !bystanders.wait() };
    let writing: Promise<void> = Promise.resolve();
    let began = performance.now();
    try {
      for await (const page of pages(this.parts.store, this.projection, stretch)) {
        // While the page before it is on its way to the disk; where that fails, the loop ends here.
        const prepared = await rows.prepare(page.events);
        await writing;
        writing = rows.advance(page.events, page.upTo, prepared);
        writing.catch(() => undefined);
        if (bystanders.wait()) {
          await writing;
          await pause(performance.now() - began, signal);
        }
        began = performance.now();
      }
    } finally {
      await writing;
    }
  }

  private get bystanders(): Bystanders {
    return this.parts.bystanders ?? nobodyWaits;
  }

  private async swap(connection: BuildConnection, rows: GenerationRows): Promise<'swapped' | 'held up' | 'far behind'> {
    const { store, logger } = this.parts;
    try {
      await connection.transaction((sql) => swap(sql, store, this.projection, rows.row, rows.writer));
      logger.info(
        { projection: rows.row.name, generation: rows.row.generation },
        'rebuilt rows took the live ones’ place',
      );
      return 'swapped';
    } catch (error) {
      rows.writer.forget();
      if (error instanceof FarBehind) return 'far behind';
      if (!isLockTimeout(error)) throw error;
      logger.info({ projection: rows.row.name }, 'readers are in the way of a swap; it is tried again');
      return 'held up';
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

const LOCK_NOT_AVAILABLE = '55P03';

function isLockTimeout(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === LOCK_NOT_AVAILABLE;
}
