import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { bigintArray, jsonArray, textArray, uuidArray } from '#platform/database/binary-arrays';

import { freshDatabase } from '../kit/database.js';

// PostgreSQL has no place for these in a text.
const text = fc.string({ unit: 'binary' }).filter((words) => !words.includes('\0'));
const arrays = fc.record({
  texts: fc.array(fc.oneof(text, fc.constantFrom('', 'NULL', '{"a",\\b}', 'ü€😀'))),
  numbers: fc.array(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  ids: fc.array(fc.uuid()),
  documents: fc.array(fc.dictionary(text, fc.oneof(text, fc.integer(), fc.constant(null)))),
});

describe('arrays that are sent in binary', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;

  beforeAll(async () => {
    fresh = await freshDatabase();
  });
  afterAll(() => fresh.drop());

  it('come out as they went in, whatever is in them and however many there are', async () => {
    const same = fc.asyncProperty(arrays, async ({ texts, numbers, ids, documents }) => {
      const [row] = await fresh.database.query(
        'select $1::text[] texts, $2::bigint[]::text[] numbers, $3::uuid[]::text[] ids, $4::jsonb[] documents',
        [
          textArray(texts),
          bigintArray(numbers),
          uuidArray(ids),
          jsonArray(documents.map((document) => JSON.stringify(document))),
        ],
      );
      expect(row).toEqual({ texts, numbers: numbers.map(String), ids, documents });
    });
    await fc.assert(same, { numRuns: 200 });
  });

  it('are refused before they are sent when an id is none, or a number is too large', () => {
    for (const end of ['964f', '964fg', '964fff']) {
      expect(() => uuidArray([`6f9619ff-8b86-d011-b42d-00c04fc${end}`])).toThrow(TypeError);
    }
    expect(() => bigintArray([2n ** 63n])).toThrow('out of range');
  });
});
