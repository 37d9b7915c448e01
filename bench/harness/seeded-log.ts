import type { Database } from '#platform/database/database';
import { positionOf } from '#platform/event-store/postgres/codec';

import { projections } from '#catalogue';
import { copyIn } from './copy.js';
import { FoldedRows, type RowLines } from './folded-rows.js';
import { copyOf } from './life-copies.js';
import type { Life, RecordedEvent } from './recorded-life.js';

/** So many VMs do the same at the same time: their events lie between each other's in the log. */
const AT_A_TIME = 500;
const DAYS = 90;
const MS_PER_DAY = 24 * 3600 * 1000;

export interface Size {
  readonly vms: number;
  readonly events: number;
}

/** What a VM of the copy lives through: its number and so many chapters after the beginning. */
interface Lived {
  readonly vm: number;
  readonly chapters: number;
}

/**
 * Writes the life of one VM into the log as those of `vms` VMs, at most `events` events in all, and the rows that the projections
 * make of them; sagas take it for done. Nobody else may use the database meanwhile. Answers how many events are in the log.
 */
export async function multiply(database: Database, life: Life, { vms, events }: Size): Promise<number> {
  const [row] = await database.query<{ position: string }>('select position from es.head');
  let position = Number(row?.position);
  const tableOf = await tablesBehindViews(database);
  const rows = await FoldedRows.on(database, projections, tableOf);
  const began = Date.now() - DAYS * MS_PER_DAY;
  const msPerEvent = (DAYS * MS_PER_DAY) / events;
  const lived = distribute(life, vms, events - position);
  for (let from = 0; from < lived.length; from += AT_A_TIME) {
    const lines: string[] = [];
    for (const { vm, event } of interleaved(life, lived.slice(from, from + AT_A_TIME))) {
      position += 1;
      const copy = copyOf(event, vm, life.shared);
      const at = new Date(began + position * msPerEvent);
      lines.push(`${position}\t${copy.stream}\t${event.revision}\t${event.type}\t${at.toISOString()}\t${copy.text}\n`);
      rows.take(copy.asStored(positionOf(BigInt(position)), at));
    }
    await copyIn(database, 'es.event (position, stream, revision, type, recorded_at, id, data, metadata)', lines);
    for (const own of rows.ended()) await copyRows(database, tableOf, own);
  }
  for (const common of rows.common()) {
    const { name, table } = common.projection;
    await database.query(`delete from ${tableOf.get(name) ?? name} where "${table.key}"::text = any($1)`, [
      common.keys,
    ]);
    await copyRows(database, tableOf, common);
  }
  await database.query('update es.head set position = $1', [position]);
  await database.query('update projection set position = $1', [positionOf(BigInt(position))]);
  await database.query('update saga_checkpoint set position = $1', [positionOf(BigInt(position))]);
  await database.query('vacuum analyze');
  return position;
}

function copyRows(
  database: Database,
  tableOf: ReadonlyMap<string, string>,
  { projection: { name }, columns, lines }: RowLines,
): Promise<void> {
  return copyIn(database, `${tableOf.get(name) ?? name} (${columns})`, lines);
}

async function tablesBehindViews(database: Database): Promise<ReadonlyMap<string, string>> {
  const rows = await database.query<{ view_name: string; table_name: string }>(
    `select view_name, table_name from information_schema.view_table_usage where view_schema = current_schema()`,
  );
  return new Map(rows.map((row) => [row.view_name, row.table_name]));
}

/** Everybody begins; then as many chapters as fit, the first one of everybody before anybody's second. */
function distribute(life: Life, vms: number, events: number): readonly Lived[] {
  let left = events - vms * life.beginning.length;
  const chapters = Array.from({ length: vms }, () => 0);
  for (const [index, chapter] of life.chapters.entries()) {
    const readers = Math.min(vms, Math.max(0, Math.floor(left / chapter.length)));
    chapters.fill(index + 1, 0, readers);
    left -= readers * chapter.length;
  }
  return chapters.map((count, index) => ({ vm: index + 1, chapters: count }));
}

/** Each VM's first event, then each one's second, and so on. */
function* interleaved(life: Life, lived: readonly Lived[]): Iterable<{ vm: number; event: RecordedEvent }> {
  const whole = [life.beginning, ...life.chapters];
  const events = lived.map(({ vm, chapters }) => ({ vm, own: whole.slice(0, chapters + 1).flat() }));
  for (let index = 0; events.some(({ own }) => index < own.length); index++) {
    for (const { vm, own } of events) {
      const event = own[index];
      if (event !== undefined) yield { vm, event };
    }
  }
}
