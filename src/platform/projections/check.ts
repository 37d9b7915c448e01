import type { Position } from '#domain/kernel/event';
import type { ProjectionVerificationRequested } from '#domain/operations/projection-upkeep';
import { pause } from '#platform/clock/pause';
import type { Database } from '#platform/database/database';

import type { BuildParts } from './build.js';
import { BuildConnection, checkLock } from './build-connection.js';
import { BulkWriter } from './bulk-writer.js';
import { type Checked, checkOf, type CheckStatus, endCheck } from './check-log.js';
import { compareTables } from './comparison.js';
import { withoutDeadLetters } from './dead-letters.js';
import { pages, selectionOf } from './pages.js';
import { type Registered, registered } from './registry.js';
import { type AnyProjection, createTable, tableOf } from './tables.js';

const PAGE = 10_000;
/** The order to compare is an event, too: rows that nobody takes further are not behind for that. */
const ORDER: ProjectionVerificationRequested['type'] = 'ProjectionVerificationRequested';
/** What is left to apply while the snapshot is held. */
const NEAR = 2000;
/** So long rows may take to come to where the log was when their comparison began; later they are behind it. */
const COME_WITHIN_MS = 2000;
const LOOK_MS = 50;

const NOT_LIVE = 'none of its rows are live in this version';

/** There is nothing to compare with, or no time any more. */
class NotComparable extends Error {}

/** Ends a check whose rows were replaced by those of a newer version: nobody will make their shadow any more. */
export async function endIfReplaced(database: Database, { id, name, version }: CheckStatus): Promise<void> {
  const newer = await registered(database.pool, 'name = $1 and live and version > $2', [name, version]);
  if (newer.length === 0) return;
  await removeShadow(database, shadowTable({ name, version }, id));
  await endCheck(database, id, null, NOT_LIVE);
}

/** Throws when somebody still has it: then the check isn't over, and its next turn removes it. */
async function removeShadow(database: Database, table: string): Promise<void> {
  await database.transaction(async (sql) => {
    await sql.query(`set local lock_timeout = '1s'`);
    await sql.query(`drop table if exists ${table}`);
  });
}

/** Compares the live rows of a projection with a shadow of them that is made from the log and removed again. */
export class Check {
  constructor(
    private readonly parts: BuildParts,
    private readonly projection: AnyProjection,
    private readonly id: string,
  ) {}

  /** Writes down what was found; null when another process does or did, or it was broken off. */
  async run(signal: AbortSignal): Promise<CheckStatus | null> {
    const connection = await BuildConnection.open(this.parts.database.url, checkLock(this.id), signal);
    if (connection === null) return null;
    try {
      // Whoever had the lock before may have done it.
      if ((await checkOf(this.parts.database, this.id))?.status !== 'running') return null;
      const checked = await this.inShadow(connection, signal);
      return await endCheck(this.parts.database, this.id, checked, null);
    } catch (error) {
      if (signal.aborted) return null;
      this.parts.logger.warn({ error, projection: this.projection.name }, 'rows could not be compared with the log');
      const message = error instanceof Error ? error.message : 'something that is no error was thrown';
      // What was lost may be the connection that would have removed it. While somebody holds it the comparison isn't over.
      await removeShadow(this.parts.database, shadowTable(this.projection, this.id)).catch(() => {
        throw error;
      });
      return await endCheck(this.parts.database, this.id, null, message);
    } finally {
      await connection.close();
    }
  }

  private async inShadow(connection: BuildConnection, signal: AbortSignal): Promise<Checked> {
    const table = shadowTable(this.projection, this.id);
    try {
      // One that was broken off left its beginning behind.
      await connection.sql.query(`drop table if exists ${table}`);
      await createTable(connection.sql, this.projection, table);
      return await this.compareWith(connection, table, signal);
    } finally {
      await connection.sql.query(`drop table if exists ${table}`).catch(() => undefined);
    }
  }

  private async compareWith(connection: BuildConnection, table: string, signal: AbortSignal): Promise<Checked> {
    const handled = await withoutDeadLetters(connection.sql, this.projection);
    const writer = new BulkWriter(this.projection, table, handled, true);
    const head = await this.parts.store.head();
    let position: Position = '';
    const follow = async (upTo: Position): Promise<number> => {
      let events = 0;
      const stretch = { after: position, upTo, maxBatch: PAGE, signal };
      for await (const page of pages(this.parts.store, this.projection, stretch)) {
        await writer.write(connection.sql, page.events);
        events += page.events.length;
        position = page.upTo;
      }
      if (signal.aborted) throw new NotComparable('it was broken off');
      return events;
    };
    // Never beyond the live rows: those only go forward, so the shadow can always be brought to where they are.
    while ((await follow((await this.live()).position)) > NEAR);
    await this.comeTo(head, signal);
    // In one snapshot rows and checkpoint belong together, and nobody has to stand still for it.
    const { live, comparison } = await connection.transaction(async (sql) => {
      const live = await this.live(sql);
      await follow(live.position);
      return { live, comparison: await compareTables(sql, this.projection, tableOf(live), table) };
    }, 'begin isolation level repeatable read');
    const behind = await this.eventsUpTo(head, live.position, signal);
    return {
      position: live.position,
      comparison,
      standing: { stopped: live.status === 'stopped', head, behind },
    };
  }

  /** Gives rows that follow the log the moment that they are always behind it. */
  private async comeTo(head: Position, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + COME_WITHIN_MS;
    while (performance.now() < deadline && !signal.aborted) {
      const { position, status } = await this.live();
      if (status === 'stopped' || !(await this.isAnyUpTo(head, position))) return;
      await pause(LOOK_MS, signal);
    }
  }

  private async isAnyUpTo(head: Position, after: Position): Promise<boolean> {
    if (after >= head) return false;
    const next = this.parts.store.readAll({ after, limit: 1, ...selectionOf(this.projection) });
    for await (const { position } of next) return position <= head;
    return false;
  }

  private async eventsUpTo(head: Position, after: Position, signal: AbortSignal): Promise<number> {
    let events = 0;
    const stretch = { after, upTo: head, maxBatch: PAGE, signal };
    for await (const page of pages(this.parts.store, this.projection, stretch))
      events += page.events.filter(({ type }) => type !== ORDER).length;
    if (signal.aborted) throw new NotComparable('it was broken off');
    return events;
  }

  private async live(sql: Parameters<typeof registered>[0] = this.parts.database.pool): Promise<Registered> {
    const { name, version } = this.projection;
    const [live] = await registered(sql, 'name = $1 and version = $2 and live', [name, version]);
    if (live === undefined) throw new NotComparable(NOT_LIVE);
    return live;
  }
}

/** Belongs to one check alone, so that whoever finds it knows whether it is still of use. */
function shadowTable({ name, version }: { readonly name: string; readonly version: number }, id: string): string {
  return `rm_${name}_v${version}_check_${id.replaceAll('-', '').slice(-12)}`;
}
