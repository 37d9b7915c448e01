import { setImmediate as letOthers } from 'node:timers/promises';

import type { StoredEvent } from '#domain/kernel/event';
import type { Sql } from '#platform/database/database';

import { copyOf, writeCopy } from './copy.js';
import type { AnyProjection } from './tables.js';
import { foldInto, loadRows, type Row, type Rows, saveRows, type Touched, touchedBy } from './writer.js';

/** Whoever else uses this thread waits for no more than so many events or rows. */
const EVENTS_AT_ONCE = 250;
const ROWS_AT_ONCE = 500;
const CACHED_ROWS = 20_000;

/**
 * Writes large pages into a table that nobody else writes to: rows that are only added by COPY, others by upserts from a
 * cache of what was written last. After an error, `forget` what may not have been committed.
 */
export class BulkWriter {
  private cache: Rows = new Map();
  /** As long as nothing was left out of the cache, a row that isn't in it doesn't exist. */
  private isWhole: boolean;

  constructor(
    private readonly projection: AnyProjection,
    private readonly table: string,
    /** What of a page is to be applied. */
    private readonly handled: (page: readonly StoredEvent[]) => readonly StoredEvent[],
    isEmpty: boolean,
  ) {
    this.isWhole = isEmpty;
  }

  async write(sql: Sql, page: readonly StoredEvent[]): Promise<void> {
    const write = await this.prepare(page);
    await write(sql);
  }

  /** Does what needs no earlier page to be written, and answers what writes this one. */
  async prepare(page: readonly StoredEvent[]): Promise<(sql: Sql) => Promise<void>> {
    const { projection, table } = this;
    const events = this.handled(page);
    if (projection.insertOnly !== true) return (sql) => this.fold(sql, events);
    const copy = await copyOf(projection, events);
    return (sql) => writeCopy(sql, projection, table, copy);
  }

  forget(): void {
    this.cache = new Map();
    this.isWhole = false;
  }

  private async fold(sql: Sql, page: readonly StoredEvent[]): Promise<void> {
    const touched: Touched[] = [];
    for (let at = 0; at < page.length; at += EVENTS_AT_ONCE) {
      touched.push(...touchedBy(this.projection, page.slice(at, at + EVENTS_AT_ONCE)));
      await letOthers();
    }
    const rows = await this.rowsOf(sql, new Set(touched.flatMap(({ keys }) => keys)));
    for (const [number, one] of touched.entries()) {
      foldInto(rows, this.projection, one);
      if (number % EVENTS_AT_ONCE === 0) await letOthers();
    }
    const entries = [...rows];
    for (let at = 0; at < entries.length; at += ROWS_AT_ONCE) {
      await saveRows(sql, this.projection, this.table, new Map(entries.slice(at, at + ROWS_AT_ONCE)));
    }
    this.keep(rows);
  }

  private async rowsOf(sql: Sql, keys: ReadonlySet<string>): Promise<Rows> {
    const rows: Rows = new Map();
    const unknown: string[] = [];
    for (const key of keys) {
      const cached = this.cache.get(key);
      if (cached !== undefined) rows.set(key, cached);
      else if (!this.isWhole) unknown.push(key);
    }
    for (let at = 0; at < unknown.length; at += ROWS_AT_ONCE) {
      const loaded = await loadRows(sql, this.projection, this.table, unknown.slice(at, at + ROWS_AT_ONCE));
      for (const [key, row] of loaded) rows.set(key, row);
    }
    return rows;
  }

  /** What was touched last is likely to be touched next. */
  private keep(rows: ReadonlyMap<string, Row | null>): void {
    for (const [key, row] of rows) {
      this.cache.delete(key);
      this.cache.set(key, row);
    }
    for (const key of this.cache.keys()) {
      if (this.cache.size <= CACHED_ROWS) return;
      this.cache.delete(key);
      this.isWhole = false;
    }
  }
}
