import { expect } from '@jest/globals';

import { InvalidPosition } from '#platform/event-store/event-store.port';

import { all, anEvent } from '../events.js';
import { type Check, check, checks, indexes, several } from './check.js';

/** What reads promise on every store. */
export const reading: readonly Check[] = [
  check('finds a missing stream empty', async (store) => {
    await store.append('a-1', 'no-stream', several(1));
    expect(await all(store.readStream('a-none'))).toEqual([]);
  }),

  ...checks(
    [
      [{}, [0, 1, 2, 3, 4]],
      [{ from: '2' }, [2, 3, 4]],
      [{ from: '9' }, []],
      [{ limit: 2 }, [0, 1]],
      [{ limit: 0 }, []],
      [{ from: '1', limit: 2 }, [1, 2]],
      [{ direction: 'backward' as const }, [4, 3, 2, 1, 0]],
      [{ direction: 'backward' as const, from: '2' }, [2, 1, 0]],
      [{ direction: 'backward' as const, limit: 1 }, [4]],
    ] as readonly [{ from?: string; limit?: number; direction?: 'backward' }, number[]][],
    ([options]) => `of a stream with ${JSON.stringify(options)}`,
    async (store, [{ from, ...options }, expected]) => {
      await store.append('a-1', 'no-stream', several(5));
      const read = store.readStream('a-1', { ...options, ...(from !== undefined && { from: BigInt(from) }) });
      expect(await indexes(read)).toEqual(expected);
    },
  ),

  check('of a stream goes over many pages in order', async (store) => {
    for (const revision of ['no-stream', 399n, 799n] as const) await store.append('a-1', revision, several(400));
    const revisions = (await all(store.readStream('a-1'))).map(({ revision }) => Number(revision));
    expect(revisions).toEqual(Array.from({ length: 1200 }, (_, index) => index));
    const backward = await all(store.readStream('a-1', { direction: 'backward', limit: 1100 }));
    expect(backward.map(({ revision }) => Number(revision))).toEqual(revisions.toReversed().slice(0, 1100));
  }),

  check('of everything takes after and before as exclusive', async (store) => {
    await store.append('a-1', 'no-stream', several(5));
    const positions = (await all(store.readAll())).map((event) => event.position);
    const [, second = '', , fourth = ''] = positions;
    expect(await indexes(store.readAll({ after: second }))).toEqual([2, 3, 4]);
    expect(await indexes(store.readAll({ before: fourth }))).toEqual([0, 1, 2]);
    expect(await indexes(store.readAll({ after: second, before: fourth }))).toEqual([2]);
    expect(await indexes(store.readAll({ direction: 'backward', limit: 2 }))).toEqual([4, 3]);
    expect(await indexes(store.readAll({ direction: 'backward', before: second }))).toEqual([0]);
    expect(await indexes(store.readAll({ direction: 'backward', after: second }))).toEqual([4, 3, 2]);
    expect(await indexes(store.readAll({ after: positions.at(-1) ?? '' }))).toEqual([]);
  }),

  check('tells how far the log has come', async (store) => {
    const { position } = await store.append('a-1', 'no-stream', several(1));
    const head = (await store.append('a-2', 'no-stream', several(1))).position;
    const beyond = head.replace(/\d+/g, (number) => String(BigInt(number) + 1n).padStart(number.length, '0'));
    const reached = await Promise.all(['', position, head, beyond].map((place) => store.reaches(place)));
    expect(reached).toEqual([true, true, true, false]);
  }),

  ...checks(
    ['0', 'nonsense', '-1', '9'.repeat(20)],
    (position) => `refuses the position ${position}, which is none`,
    async (store, position) => {
      await expect(all(store.readAll({ after: position }))).rejects.toThrow(InvalidPosition);
      await expect(all(store.readAll({ before: position }))).rejects.toThrow(InvalidPosition);
      const signal = AbortSignal.timeout(5000);
      await expect(
        (async () => {
          for await (const { upTo } of store.subscribe({ after: position, signal })) expect(upTo).toBe('');
        })(),
      ).rejects.toThrow(InvalidPosition);
    },
  ),

  check('goes over many pages in order', async (store) => {
    await store.append('a-1', 'no-stream', several(5));
    for (let round = 0; round < 3; round += 1) await store.append(`b-${round}`, 'no-stream', several(400));
    const events = await all(store.readAll());
    expect(events).toHaveLength(1205);
    const positions = events.map((event) => event.position);
    expect(positions).toEqual([...new Set(positions)].sort());
    expect(await all(store.readAll({ direction: 'backward' }))).toEqual(events.toReversed());
  }),

  check('selects by types and by prefixes of streams, and both together', async (store) => {
    await store.append('a-1', 'no-stream', several(5));
    await store.append('b-1', 'no-stream', [anEvent('Other'), anEvent('Happened')]);
    const types = async (selection: object) => (await all(store.readAll(selection))).map((event) => event.type);
    expect(await types({ types: ['Other'] })).toEqual(['Other']);
    expect(await types({ streamPrefixes: ['b-'] })).toEqual(['Other', 'Happened']);
    expect(await types({ types: ['Happened'], streamPrefixes: ['b-', 'c-'] })).toEqual(['Happened']);
    expect(await types({ types: [] })).toEqual([]);
    expect(await types({ types: ['Happened'], limit: 2 })).toEqual(['Happened', 'Happened']);
  }),

  check('gives back what was stored, whatever it held', async (store) => {
    const data = {
      unicode: 'Größe 日本 📷 \u202e "quotes" \\u0000 \\ud800',
      nothing: null,
      large: '9007199254740993',
      numbers: [0, -1, 1.5, Number.MAX_SAFE_INTEGER],
      flag: false,
      nested: { empty: {}, list: [] },
    };
    const metadata = { ...anEvent().metadata, commandId: 'command', reason: 'weil – ß', instance: 'here' };
    const event = { ...anEvent('Kept', data), metadata };
    await store.append('k-1', 'no-stream', [event]);
    for (const [stored] of [await all(store.readStream('k-1')), await all(store.readAll())]) {
      expect(stored).toEqual({
        ...event,
        stream: 'k-1',
        revision: 0n,
        position: await store.head(),
        recordedAt: expect.any(Date),
      });
      expect(Math.abs(Date.now() - Number(stored?.recordedAt.getTime()))).toBeLessThan(60_000);
    }
  }),
];
