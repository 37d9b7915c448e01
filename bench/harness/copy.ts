import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { from } from 'pg-copy-streams';

import type { Database } from '#platform/database/database';

const LINES_PER_CHUNK = 500;

/** Brings lines in COPY's text format into a table. */
export async function copyIn(database: Database, table: string, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const client = await database.pool.connect();
  try {
    await pipeline(Readable.from(chunksOf(lines)), client.query(from(`copy ${table} from stdin`)));
  } finally {
    client.release();
  }
}

function* chunksOf(lines: readonly string[]): Iterable<string> {
  for (let at = 0; at < lines.length; at += LINES_PER_CHUNK) yield lines.slice(at, at + LINES_PER_CHUNK).join('');
}
