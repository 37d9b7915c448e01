import { describe, expect, it } from '@jest/globals';

import type { Database } from '#platform/database/database';

import { positionOf } from './codec.js';
import { Reader } from './reader.js';

interface Asked {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly answer: (rows: readonly object[]) => void;
  readonly fail: (error: Error) => void;
}

/** A database whose answers come when the test wants it. */
function answeredByHand() {
  const asked: Asked[] = [];
  const query = ({ text, values = [] }: { text: string; values?: readonly unknown[] }) =>
    new Promise((resolve, reject) => {
      asked.push({
        text,
        values,
        answer: (rows) => {
          resolve({ rows });
        },
        fail: reject,
      });
    });
  return { asked, reader: new Reader({ pool: { query } } as unknown as Database) };
}

const row = (position: number, type = 'Noted') => ({
  position: String(position),
  stream: 'note-1',
  revision: String(position - 1),
  id: `id-${position}`,
  type,
  data: {},
  metadata: {},
  recorded_at: new Date(0),
});
/** What stands behind a place, and the head of that moment. */
const newest = (head: number, rows: readonly { position: string }[]) =>
  rows.length === 0 ? [{ head: String(head), position: null }] : rows.map((one) => ({ head: String(head), ...one }));
/** Until everything that can go on without an answer has done so. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('readers that look together', () => {
  it('ask once when they are woken together', async () => {
    const { asked, reader } = answeredByHand();
    const pages = [1, 2, 3].map(() => reader.page(positionOf(5n), {}, 500));
    await settled();
    expect(asked).toHaveLength(1);
    asked[0]?.answer(newest(5, []));
    for (const page of await Promise.all(pages))
      expect(page).toEqual({ events: [], upTo: positionOf(5n), head: positionOf(5n) });
  });

  it('never share an answer to a question that was sent before they came: what was acknowledged meanwhile would be missing', async () => {
    const { asked, reader } = answeredByHand();
    const early = reader.page(positionOf(1n), {}, 500);
    await settled();
    // The first question is on its way, and answered by the head of that moment; then an append is acknowledged.
    const late = reader.page(positionOf(1n), {}, 500);
    await settled();
    expect(asked).toHaveLength(2);
    asked[1]?.answer(newest(2, [row(2)]));
    expect((await late).events.map(({ id }) => id)).toEqual(['id-2']);
    asked[0]?.answer(newest(1, []));
    expect((await early).head).toBe(positionOf(1n));
    const next = reader.page(positionOf(1n), {}, 500);
    await settled();
    expect(asked).toHaveLength(3);
    asked[2]?.answer(newest(1, []));
    await next;
  });

  it('read the newest events once, and each gets what it selects', async () => {
    const { asked, reader } = answeredByHand();
    const painted = reader.page(positionOf(1n), { types: ['Painted'] }, 500);
    const ofNotes = reader.page(positionOf(1n), { streamPrefixes: ['note-'] }, 500);
    const others = reader.page(positionOf(1n), { streamPrefixes: ['backup-'] }, 500);
    await settled();
    expect(asked).toHaveLength(1);
    asked[0]?.answer(newest(3, [row(2), row(3, 'Painted')]));
    expect((await painted).events.map(({ id }) => id)).toEqual(['id-3']);
    expect((await ofNotes).events.map(({ id }) => id)).toEqual(['id-2', 'id-3']);
    expect(await others).toEqual({ events: [], upTo: positionOf(3n), head: positionOf(3n) });
  });

  it('share with those who were busy when the others looked the last time', async () => {
    const { asked, reader } = answeredByHand();
    const before = reader.page(positionOf(1n), {}, 500);
    await settled();
    asked[0]?.answer(newest(3, [row(2), row(3)]));
    await before;
    const ready = reader.page(positionOf(3n), {}, 500);
    const busy = reader.page(positionOf(1n), { types: ['Noted'] }, 500);
    await settled();
    expect(asked.map(({ values }) => values)).toEqual([[1n], [3n]]);
    asked[1]?.answer(newest(5, [row(4), row(5, 'Painted')]));
    expect((await ready).events.map(({ id }) => id)).toEqual(['id-4', 'id-5']);
    const page = await busy;
    expect(page.events.map(({ id }) => id)).toEqual(['id-2', 'id-3', 'id-4']);
    expect(page).toMatchObject({ upTo: positionOf(5n), head: positionOf(5n) });
  });

  it('do not share with those who are at another place', async () => {
    const { asked, reader } = answeredByHand();
    const near = reader.page(positionOf(2n), {}, 500);
    const far = reader.page(positionOf(1n), {}, 500);
    await settled();
    expect(asked).toHaveLength(2);
    asked[0]?.answer(newest(3, [row(3)]));
    asked[1]?.answer(newest(3, [row(2), row(3)]));
    expect((await near).events.map(({ id }) => id)).toEqual(['id-3']);
    expect((await far).events.map(({ id }) => id)).toEqual(['id-2', 'id-3']);
  });

  it('all hear that nothing could be read, and the next look asks anew', async () => {
    const { asked, reader } = answeredByHand();
    const outcomes = Promise.allSettled([1, 2].map(() => reader.page(positionOf(1n), {}, 500)));
    await settled();
    asked[0]?.fail(new Error('connection lost'));
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = reader.page(positionOf(1n), {}, 500);
    await settled();
    asked.at(-1)?.answer(newest(2, [row(2)]));
    expect((await again).events).toHaveLength(1);
  });

  it.each([
    ['among others', [row(3)]],
    ['at the end', [row(2)]],
    ['where there is no other', []],
  ])('all refuse to go on when an event is missing that must be there, %s', async (_where, rows) => {
    const { asked, reader } = answeredByHand();
    const outcomes = Promise.allSettled([1, 2].map(() => reader.page(positionOf(1n), {}, 500)));
    await settled();
    asked[0]?.answer(newest(3, rows));
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('do not go beyond the head that they were told where there is more than is looked at together', async () => {
    const { asked, reader } = answeredByHand();
    const page = reader.page(positionOf(1n), {}, 30);
    await settled();
    asked[0]?.answer(
      newest(
        40,
        Array.from({ length: 33 }, (_, index) => row(2 + index)),
      ),
    );
    await settled();
    expect(asked).toHaveLength(2);
    expect(asked[1]?.values).toContain(41n);
    asked[1]?.answer(Array.from({ length: 30 }, (_, index) => row(2 + index)));
    expect(await page).toMatchObject({ upTo: positionOf(31n), head: positionOf(40n) });
  });

  it('give what they read to who comes a moment later, who gets what it selects and no more than it wants', async () => {
    const { asked, reader } = answeredByHand();
    const page = reader.page(positionOf(1n), {}, 500);
    await settled();
    asked[0]?.answer(newest(3, [row(2), row(3, 'Painted')]));
    await page;
    const late = (selection: object, limit = 500) =>
      reader.recentPage(positionOf(1n), positionOf(3n), selection, limit);
    expect(late({})?.events.map(({ id }) => id)).toEqual(['id-2', 'id-3']);
    expect(late({ types: ['Painted'] })).toMatchObject({ events: [{ id: 'id-3' }], upTo: positionOf(3n) });
    expect(late({ types: ['Noted'] })).toMatchObject({ events: [{ id: 'id-2' }], upTo: positionOf(3n) });
    expect(late({}, 1)).toBeNull();
    expect(late({ unparsed: true })).toBeNull();
    expect(reader.recentPage(positionOf(1n), positionOf(4n), {}, 500)).toBeNull();
    expect(asked).toHaveLength(1);
  });
});
