import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as letOthers } from 'node:timers/promises';

import { type CopyStreamQuery, from } from 'pg-copy-streams';

import type { StoredEvent } from '#domain/kernel/event';
import type { ColumnType } from '#domain/kernel/projection';
import type { Sql } from '#platform/database/database';

import type { AnyProjection } from './tables.js';
import { toSql } from './writer.js';

/** Between so many events others have a turn: also the socket, which takes no more at a turn than fits into its buffer. */
const EVENTS_AT_ONCE = 50;
const PIECE_CHARACTERS = 1024 * 1024;
/** Looked for one by one: that takes a third of the time of an expression. */
const SPECIAL = ['\\', '\n', '\r', '\t'];
const ALL_SPECIAL = /[\\\n\r\t]/g;
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Rows as COPY takes them, in pieces. */
export type Lines = readonly Buffer[];

/** The rows that a page of events makes, of a projection that only adds rows. */
export async function linesOf(projection: AnyProjection, page: readonly StoredEvent[]): Promise<Lines> {
  const columns = Object.entries(projection.table.columns);
  const pieces: Buffer[] = [];
  let text = '';
  for (const [number, event] of page.entries()) {
    for (const key of projection.keysOf(event)) {
      const row = projection.evolve(null, event, key) as Readonly<Record<string, unknown>> | null;
      if (row !== null) text += lineOf(row, columns);
    }
    if (text.length > PIECE_CHARACTERS || number === page.length - 1) {
      pieces.push(Buffer.from(text));
      text = '';
    }
    if (number % EVENTS_AT_ONCE === 0) await letOthers();
  }
  return pieces;
}

/** Writes them by COPY. */
export async function copyLines(sql: Sql, { table: shape }: AnyProjection, table: string, lines: Lines): Promise<void> {
  if (lines.every((piece) => piece.length === 0)) return;
  const columns = Object.keys(shape.columns).map((name) => `"${name}"`);
  const into: CopyStreamQuery = sql.query(from(`copy ${table} (${columns.join(', ')}) from stdin`));
  await pipeline(Readable.from(lines), into);
}

function lineOf(row: Readonly<Record<string, unknown>>, columns: readonly [string, ColumnType][]): string {
  let line = '';
  for (const [name, type] of columns) line += `${fieldOf(toSql(row[name], type), type)}\t`;
  return `${line.slice(0, -1)}\n`;
}

/** PostgreSQL's text format: a tab between fields, and what could be taken for something else escaped. */
function fieldOf(value: unknown, type: ColumnType): string {
  if (value === null) return '\\N';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const isPlain = (type !== 'text' && type !== 'jsonb') || !SPECIAL.some((special) => text.includes(special));
  return isPlain ? text : text.replace(ALL_SPECIAL, (found) => ESCAPED[found] ?? found);
}
