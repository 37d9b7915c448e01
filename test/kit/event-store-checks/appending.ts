import { expect } from '@jest/globals';

import { MAX_BYTES, MAX_EVENTS } from '#platform/event-store/append-rules';
import {
  AppendTooLarge,
  EventIdReused,
  type Expected,
  InvalidAppend,
  WrongExpectedRevision,
} from '#platform/event-store/event-store.port';
import { newId } from '#platform/ids/ids';

import { all, anEvent } from '../events.js';
import { type Check, check, checks, several } from './check.js';

/** What an append promises on every store. */
export const appending: readonly Check[] = [
  check('numbers revisions from 0 and positions ever upward', async (store) => {
    const first = await store.append('a-1', 'no-stream', several(2));
    const second = await store.append('a-1', 1n, several(1));
    expect([first.revision, second.revision]).toEqual([1n, 2n]);
    expect(second.position > first.position).toBe(true);
    const events = await all(store.readStream('a-1'));
    expect(events.map((event) => event.revision)).toEqual([0n, 1n, 2n]);
    const positions = events.map((event) => event.position);
    expect(positions).toEqual([...positions].sort());
    expect(await store.head()).toBe(second.position);
    expect(positions.slice(1)).toEqual([first.position, second.position]);
  }),

  ...checks<[Expected, boolean, boolean]>(
    [
      ['no-stream', true, false],
      ['stream-exists', false, true],
      ['any', true, true],
      [0n, false, true],
      [5n, false, false],
    ],
    ([expected, missing, existing]) =>
      `with ${expected} is accepted on a missing stream: ${missing}, on an existing one: ${existing}`,
    async (store, [expected, missing, existing]) => {
      await store.append('a-there', 'no-stream', [anEvent()]);
      for (const [stream, accepted] of [
        ['a-missing', missing],
        ['a-there', existing],
      ] as const) {
        const appending = store.append(stream, expected, [anEvent()]);
        if (accepted) expect((await appending).duplicate).toBe(false);
        else await expect(appending).rejects.toThrow(WrongExpectedRevision);
      }
    },
  ),

  check('says at which revision the stream really is', async (store) => {
    await store.append('a-1', 'no-stream', several(3));
    await expect(store.append('a-1', 0n, [anEvent()])).rejects.toMatchObject({ stream: 'a-1', actual: 2n });
    await expect(store.append('a-2', 7n, [anEvent()])).rejects.toMatchObject({ actual: -1n });
    await expect(store.append('a-1', 7n, several(2))).rejects.toMatchObject({ stream: 'a-1', actual: 2n });
  }),

  check('stores all events of an append or none', async (store) => {
    await store.append('a-1', 'no-stream', several(2));
    await expect(store.append('a-1', 0n, several(3))).rejects.toThrow(WrongExpectedRevision);
    expect(await all(store.readAll())).toHaveLength(2);
  }),

  ...checks<Expected>(
    ['no-stream', 0n],
    (expected) => `the same again with ${expected} answers the first answer, also when the stream went on`,
    async (store, expected) => {
      if (expected !== 'no-stream') await store.append('a-1', 'no-stream', [anEvent()]);
      const events = several(2);
      const stored = await store.append('a-1', expected, events);
      const again = await store.append('a-1', expected, events);
      expect(again).toEqual({ ...stored, duplicate: true });
      await store.append('a-1', stored.revision, several(2));
      expect(await store.append('a-1', expected, events)).toEqual({ ...stored, duplicate: true });
      expect(await all(store.readAll())).toHaveLength(expected === 'no-stream' ? 4 : 5);
    },
  ),

  check('refuses ids that stand where it would write, with other companions or in another order', async (store) => {
    const [one, two] = [anEvent(), anEvent()];
    await store.append('a-1', 'no-stream', [one, two]);
    await expect(store.append('a-1', 'no-stream', [one, anEvent()])).rejects.toThrow(EventIdReused);
    await expect(store.append('a-1', 'no-stream', [two, one])).rejects.toThrow(EventIdReused);
    await expect(store.append('a-1', 'no-stream', [two, one, anEvent()])).rejects.toThrow(EventIdReused);
    await expect(store.append('a-1', 0n, [two, anEvent()])).rejects.toThrow(EventIdReused);
  }),

  check('refuses ids that somebody else stored behind what the caller has read', async (store) => {
    const mine = anEvent();
    await store.append('a-1', 'no-stream', [anEvent()]);
    await store.append('a-1', 0n, [anEvent(), mine]);
    await expect(store.append('a-1', 0n, [mine])).rejects.toThrow(EventIdReused);
    expect(await all(store.readStream('a-1'))).toHaveLength(3);
  }),

  check('refuses two equal ids in one append', async (store) => {
    const event = anEvent();
    await expect(store.append('a-1', 'no-stream', [event, event])).rejects.toThrow(InvalidAppend);
  }),

  check(`takes ${MAX_EVENTS} events and not one more, and never none`, async (store) => {
    expect((await store.append('a-1', 'no-stream', several(MAX_EVENTS))).revision).toBe(BigInt(MAX_EVENTS) - 1n);
    await expect(store.append('a-2', 'no-stream', several(MAX_EVENTS + 1))).rejects.toThrow(AppendTooLarge);
    await expect(store.append('a-2', 'no-stream', [])).rejects.toThrow(InvalidAppend);
  }),

  check('takes a megabyte and not more', async (store) => {
    const large = (bytes: number) => anEvent('Happened', { text: 'x'.repeat(bytes) });
    expect((await store.append('a-1', 'no-stream', [large(MAX_BYTES - 500)])).revision).toBe(0n);
    await expect(store.append('a-2', 'no-stream', [large(MAX_BYTES)])).rejects.toThrow(AppendTooLarge);
  }),

  ...checks(
    ['', 'a', 'a-', 'A-1', '-1', '$a-1', 'a1-1', 'ä-1'],
    (stream) => `refuses the stream name "${stream}"`,
    async (store, stream) => {
      await expect(store.append(stream, 'any', [anEvent()])).rejects.toThrow(InvalidAppend);
    },
  ),

  ...checks(
    [
      ['an id that is no UUID', anEvent('Happened', {}, 'x')],
      ['an empty type', anEvent('')],
      ["a type of the server's own", anEvent('$metadata')],
      ['the character NUL', anEvent('Happened', { text: 'a\0b' })],
      ['half of a surrogate pair', anEvent('Happened', { text: 'a\ud800b' })],
      ['what has no JSON', anEvent('Happened', { count: 1n })],
    ] as const,
    ([what]) => `refuses ${what}`,
    async (store, [, event]) => {
      await expect(store.append('a-1', 'any', [event])).rejects.toThrow(InvalidAppend);
      expect(await store.head()).toBe('');
    },
  ),

  ...checks(
    [
      ['the NUL character in a stream', 'a-\0', 'Happened'],
      ['half a surrogate pair in a stream', 'a-\ud800', 'Happened'],
      ['a stream of 20000 characters', `a-${Array.from({ length: 600 }, newId).join('')}`, 'Happened'],
      ['the NUL character in a type', 'a-1', 'Happ\0ened'],
      ['half a surrogate pair in a type', 'a-1', 'Happened\ud800'],
      ['a type of 20000 characters', 'a-1', `H${Array.from({ length: 600 }, newId).join('')}`],
    ] as const,
    ([what]) => `refuses ${what} as an invalid append`,
    async (store, [, stream, type]) => {
      await expect(store.append(stream, 'no-stream', [anEvent(type)])).rejects.toBeInstanceOf(InvalidAppend);
    },
  ),

  ...checks(
    [-2n, -3n, -4n],
    (expected) => `never takes the revision ${expected} for a named situation`,
    async (store, expected) => {
      await store.append('a-1', 'no-stream', [anEvent()]);
      await expect(store.append('a-1', expected, [anEvent()])).rejects.toThrow(InvalidAppend);
    },
  ),

  check('lets one of fifty win each revision of a stream', async (store) => {
    const racing = Array.from({ length: 50 }, () => store.append('a-1', 'no-stream', [anEvent()]));
    const results = await Promise.allSettled(racing);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(WrongExpectedRevision);
    }
    expect(await all(store.readStream('a-1'))).toHaveLength(1);
  }),

  check('lets fifty appends to fifty streams all win', async (store) => {
    const appended = await Promise.all(
      Array.from({ length: 50 }, (_, index) => store.append(`a-${index}`, 'no-stream', several(3))),
    );
    expect(new Set(appended.map(({ position }) => position)).size).toBe(50);
    expect(await all(store.readAll())).toHaveLength(150);
  }),
];

/** What a store that can look any id up promises beyond that. */
export const knowingEveryId: readonly Check[] = [
  check('the same again with any answers the first answer', async (store) => {
    const events = several(2);
    const stored = await store.append('a-1', 'any', events);
    expect(await store.append('a-1', 'any', events)).toEqual({ ...stored, duplicate: true });
  }),

  check(
    'with any, takes neither another order nor events that others lie between for the same append',
    async (store) => {
      const [one, two] = [anEvent(), anEvent()];
      await store.append('a-1', 'no-stream', [one, anEvent(), two]);
      await expect(store.append('a-1', 'any', [one, two])).rejects.toBeInstanceOf(EventIdReused);
      await expect(store.append('a-1', 'any', [two, one])).rejects.toBeInstanceOf(EventIdReused);
    },
  ),

  check('refuses an id that is in use in another stream, or before the place where it would write', async (store) => {
    const [one, two] = [anEvent(), anEvent()];
    await store.append('a-1', 'no-stream', [one, two]);
    await expect(store.append('a-2', 'no-stream', [one])).rejects.toThrow(EventIdReused);
    await expect(store.append('a-2', 'any', [one])).rejects.toThrow(EventIdReused);
    await expect(store.append('a-1', 1n, [two, anEvent()])).rejects.toThrow(EventIdReused);
    await expect(store.append('a-1', 1n, [one, two])).rejects.toThrow(EventIdReused);
  }),
];
