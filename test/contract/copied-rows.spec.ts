import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { JsonText, type StoredEvent } from '#domain/kernel/event';
import type { ColumnType } from '#domain/kernel/projection';
import { copyOf, writeCopy } from '#platform/projections/copy';
import { type AnyProjection, createTable } from '#platform/projections/tables';
import { type Row, saveRows } from '#platform/projections/writer';

import { freshDatabase } from '../kit/database.js';
import { anEvent } from '../kit/events.js';

const columns = {
  id: 'uuid',
  words: 'text',
  much: 'bigint',
  few: 'integer',
  share: 'double precision',
  done: 'boolean',
  moment: 'timestamptz',
  details: 'jsonb',
} satisfies Record<string, ColumnType>;

/** A projection whose events are its rows. */
const copying = {
  name: 'copying',
  version: 1,
  table: { key: 'id', columns },
  handles: 'all',
  insertOnly: true,
  keysOf: (event: StoredEvent) => [event.id],
  evolve: (_row: null, event: StoredEvent) => event.data as Row,
} as unknown as AnyProjection;

const holding = (row: Row): StoredEvent => ({
  ...anEvent('Happened', row),
  ...{ stream: 'a-1', revision: 0n, position: '1', recordedAt: new Date(0) },
});

// PostgreSQL has no place for it in a text.
const text = fc.string({ unit: 'binary' }).filter((words) => !words.includes('\0'));
const anyRow: fc.Arbitrary<Row> = fc.record({
  id: fc.uuid(),
  words: fc.option(fc.oneof(text, fc.constantFrom('', '\\N', 'a\tb\nc\r\\.', 'ü€😀'))),
  much: fc.option(fc.oneof(fc.maxSafeInteger(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String))),
  few: fc.option(fc.integer()),
  share: fc.option(fc.double()),
  done: fc.option(fc.boolean()),
  moment: fc.option(
    fc
      .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
      .map((at) => at.toISOString()),
  ),
  details: fc.option(fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)))),
});

describe('rows of a projection that only adds some, written by COPY', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;

  beforeAll(async () => {
    fresh = await freshDatabase();
    for (const table of ['by_copy', 'by_upsert']) await createTable(fresh.database.pool, copying, table);
    await fresh.database.query('alter table by_upsert add primary key (id)');
  });

  beforeEach(async () => {
    await fresh.database.query('truncate by_copy, by_upsert');
  });

  afterAll(async () => {
    await fresh.drop();
  });

  const write = async (rows: readonly Row[]) => {
    const copy = await copyOf(copying, rows.map(holding));
    await fresh.database.transaction((sql) => writeCopy(sql, copying, 'by_copy', copy));
  };

  const difference = () =>
    fresh.database.query(
      `(table by_copy except all table by_upsert) union all (table by_upsert except all table by_copy)`,
    );

  it('are those that an upsert writes, whatever is in them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyRow, { selector: ({ id }) => id, minLength: 1, maxLength: 20 }),
        async (rows) => {
          await fresh.database.query('truncate by_copy, by_upsert');
          await write(rows);
          await saveRows(
            fresh.database.pool,
            copying,
            'by_upsert',
            new Map(rows.map((row) => [String(row['id']), row])),
          );
          expect(await difference()).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('may be larger than what is sent at once, and hold JSON that nobody looked into', async () => {
    const rows = Array.from({ length: 30 }, (_, number) => ({ id: randomUUID(), words: 'ü'.repeat(number * 40_000) }));
    const details = { note: 'a "quoted" \\ ü' };
    await write([...rows, { id: randomUUID(), details: new JsonText(Buffer.from(JSON.stringify(details))) }]);
    const [found] = await fresh.database.query<{ rows: number; characters: number }>(
      `select count(*)::int rows, sum(length(words))::int characters from by_copy`,
    );
    expect(found).toEqual({ rows: 31, characters: rows.reduce((sum, { words }) => sum + words.length, 0) });
    expect(await fresh.database.query(`select details from by_copy where details is not null`)).toEqual([{ details }]);
  });

  it.each([
    ['a uuid that is none', { id: 'not-a-uuid' }],
    ['a uuid with a digit that is none', { id: '0000000g-0000-4000-8000-000000000000' }],
    ['a time finer than what would be kept', { id: randomUUID(), moment: '2026-01-01T00:00:00.000001Z' }],
    ['a time in another zone', { id: randomUUID(), moment: '2026-01-01T00:00:00.000+02' }],
    ['half of a number', { id: randomUUID(), much: 0.5 }],
  ])('are refused rather than changed: %s', async (_what, row) => {
    await expect(copyOf(copying, [holding(row)])).rejects.toThrow();
  });
});
