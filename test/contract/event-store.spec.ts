import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { MAX_BYTES, MAX_EVENTS } from '#platform/event-store/append-rules';
import {
  type Batch,
  EventIdReused,
  type EventStore,
  type Expected,
  InvalidAppend,
  InvalidPosition,
  WrongExpectedRevision,
} from '#platform/event-store/event-store.port';
import { newId } from '#platform/ids/ids';

import { all, anEvent, EVENT_STORES } from '../kit/event-stores.js';

describe.each(EVENT_STORES)('an event store $name', ({ open }) => {
  let store: EventStore;
  let clear: () => Promise<void>;

  beforeEach(async () => {
    ({ store, clear } = await open());
  });

  afterEach(async () => {
    await clear();
  });

  const several = (count: number) => Array.from({ length: count }, (_, index) => anEvent('Happened', { index }));
  const indexes = async (events: ReturnType<EventStore['readStream']>) =>
    (await all(events)).map((event) => (event.data as { index: number }).index);

  describe('appending', () => {
    it('numbers revisions from 0 and positions ever upward', async () => {
      const first = await store.append('a-1', 'no-stream', several(2));
      const second = await store.append('a-1', 1n, several(1));
      expect([first.revision, second.revision]).toEqual([1n, 2n]);
      expect(second.position > first.position).toBe(true);
      const events = await all(store.readStream('a-1'));
      expect(events.map((event) => event.revision)).toEqual([0n, 1n, 2n]);
      const positions = events.map((event) => event.position);
      expect(positions).toEqual([...positions].sort());
      expect(await store.head()).toBe(second.position);
    });

    it.each<[Expected, boolean, boolean]>([
      ['no-stream', true, false],
      ['stream-exists', false, true],
      ['any', true, true],
      [0n, false, true],
      [5n, false, false],
    ])('with %s is accepted on a missing stream: %s, on an existing one: %s', async (expected, missing, existing) => {
      await store.append('a-there', 'no-stream', [anEvent()]);
      for (const [stream, accepted] of [
        ['a-missing', missing],
        ['a-there', existing],
      ] as const) {
        const appending = store.append(stream, expected, [anEvent()]);
        if (accepted) expect((await appending).duplicate).toBe(false);
        else await expect(appending).rejects.toThrow(WrongExpectedRevision);
      }
    });

    it('says at which revision the stream really is', async () => {
      await store.append('a-1', 'no-stream', several(3));
      await expect(store.append('a-1', 0n, [anEvent()])).rejects.toMatchObject({ stream: 'a-1', actual: 2n });
      await expect(store.append('a-2', 7n, [anEvent()])).rejects.toMatchObject({ actual: -1n });
    });

    it('stores all events of an append or none', async () => {
      await store.append('a-1', 'no-stream', several(2));
      await expect(store.append('a-1', 0n, several(3))).rejects.toThrow(WrongExpectedRevision);
      expect(await all(store.readAll())).toHaveLength(2);
    });

    it.each<[string, Expected, Expected]>([
      ['no-stream', 'no-stream', 'no-stream'],
      ['an exact revision', 'no-stream', 0n],
    ])(
      'the same again with %s answers the first answer, also when the stream went on',
      async (_name, first, second) => {
        if (second !== 'no-stream') await store.append('a-1', first, [anEvent()]);
        const events = several(2);
        const stored = await store.append('a-1', second, events);
        const again = await store.append('a-1', second, events);
        expect(again).toEqual({ ...stored, duplicate: true });
        await store.append('a-1', stored.revision, several(2));
        expect(await store.append('a-1', second, events)).toEqual({ ...stored, duplicate: true });
        expect(await all(store.readAll())).toHaveLength(second === 'no-stream' ? 4 : 5);
      },
    );

    it('the same again with any answers the first answer', async () => {
      const events = several(2);
      const stored = await store.append('a-1', 'any', events);
      expect(await store.append('a-1', 'any', events)).toEqual({ ...stored, duplicate: true });
    });

    it('refuses an id that is in use elsewhere, with other companions, or at another place', async () => {
      const [one, two] = [anEvent(), anEvent()];
      await store.append('a-1', 'no-stream', [one, two]);
      await expect(store.append('a-2', 'no-stream', [one])).rejects.toThrow(EventIdReused);
      await expect(store.append('a-1', 1n, [two, anEvent()])).rejects.toThrow(EventIdReused);
      await expect(store.append('a-1', 1n, [one, two])).rejects.toThrow(EventIdReused);
      await expect(store.append('a-1', 'no-stream', [two, one, anEvent()])).rejects.toThrow(EventIdReused);
    });

    it('refuses two equal ids in one append', async () => {
      const event = anEvent();
      await expect(store.append('a-1', 'no-stream', [event, event])).rejects.toThrow(InvalidAppend);
    });

    it(`takes ${MAX_EVENTS} events and not one more, and never none`, async () => {
      expect((await store.append('a-1', 'no-stream', several(MAX_EVENTS))).revision).toBe(BigInt(MAX_EVENTS) - 1n);
      await expect(store.append('a-2', 'no-stream', several(MAX_EVENTS + 1))).rejects.toThrow(InvalidAppend);
      await expect(store.append('a-2', 'no-stream', [])).rejects.toThrow(InvalidAppend);
    });

    it('takes a megabyte and not more', async () => {
      const large = (bytes: number) => anEvent('Happened', { text: 'x'.repeat(bytes) });
      expect((await store.append('a-1', 'no-stream', [large(MAX_BYTES - 500)])).revision).toBe(0n);
      await expect(store.append('a-2', 'no-stream', [large(MAX_BYTES)])).rejects.toThrow(InvalidAppend);
    });

    it.each(['', 'a', 'a-', 'A-1', '-1', '$a-1', 'a1-1', 'ä-1'])('refuses the stream name "%s"', async (stream) => {
      await expect(store.append(stream, 'any', [anEvent()])).rejects.toThrow(InvalidAppend);
    });

    it.each([
      ['an id that is no UUID', anEvent('Happened', {}, 'x')],
      ['an empty type', anEvent('')],
      ["a type of the server's own", anEvent('$metadata')],
      ['the character NUL', anEvent('Happened', { text: 'a\0b' })],
      ['half of a surrogate pair', anEvent('Happened', { text: 'a\ud800b' })],
    ])('refuses %s', async (_what, event) => {
      await expect(store.append('a-1', 'any', [event])).rejects.toThrow(InvalidAppend);
      expect(await store.head()).toBe('');
    });

    it('lets one of fifty win each revision of a stream', async () => {
      const racing = Array.from({ length: 50 }, () => store.append('a-1', 'no-stream', [anEvent()]));
      const results = await Promise.allSettled(racing);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(WrongExpectedRevision);
      }
      expect(await all(store.readStream('a-1'))).toHaveLength(1);
    });

    it('lets fifty appends to fifty streams all win', async () => {
      const appended = await Promise.all(
        Array.from({ length: 50 }, (_, index) => store.append(`a-${index}`, 'no-stream', several(3))),
      );
      expect(new Set(appended.map(({ position }) => position)).size).toBe(50);
      expect(await all(store.readAll())).toHaveLength(150);
    });
  });

  describe('reading', () => {
    beforeEach(async () => {
      await store.append('a-1', 'no-stream', several(5));
    });

    it('finds a missing stream empty', async () => {
      expect(await all(store.readStream('a-none'))).toEqual([]);
    });

    it.each([
      [{}, [0, 1, 2, 3, 4]],
      [{ from: 2n }, [2, 3, 4]],
      [{ from: 9n }, []],
      [{ limit: 2 }, [0, 1]],
      [{ from: 1n, limit: 2 }, [1, 2]],
      [{ direction: 'backward' as const }, [4, 3, 2, 1, 0]],
      [{ direction: 'backward' as const, from: 2n }, [2, 1, 0]],
      [{ direction: 'backward' as const, limit: 1 }, [4]],
    ])('of a stream with %j', async (options, expected) => {
      expect(await indexes(store.readStream('a-1', options))).toEqual(expected);
    });

    it('of everything takes after and before as exclusive', async () => {
      const positions = (await all(store.readAll())).map((event) => event.position);
      const [, second = '', , fourth = ''] = positions;
      expect(await indexes(store.readAll({ after: second }))).toEqual([2, 3, 4]);
      expect(await indexes(store.readAll({ before: fourth }))).toEqual([0, 1, 2]);
      expect(await indexes(store.readAll({ after: second, before: fourth }))).toEqual([2]);
      expect(await indexes(store.readAll({ direction: 'backward', limit: 2 }))).toEqual([4, 3]);
      expect(await indexes(store.readAll({ direction: 'backward', before: second }))).toEqual([0]);
    });

    it.each(['0', 'nonsense', '-1', '9'.repeat(20)])('refuses the position %s, which is none', async (position) => {
      await expect(all(store.readAll({ after: position }))).rejects.toThrow(InvalidPosition);
      const signal = AbortSignal.timeout(5000);
      await expect(
        (async () => {
          for await (const { upTo } of store.subscribe({ after: position, signal })) expect(upTo).toBe('');
        })(),
      ).rejects.toThrow(InvalidPosition);
    });

    it('goes over many pages in order', async () => {
      for (let round = 0; round < 3; round += 1) await store.append(`b-${round}`, 'no-stream', several(400));
      const events = await all(store.readAll());
      expect(events).toHaveLength(1205);
      const positions = events.map((event) => event.position);
      expect(positions).toEqual([...new Set(positions)].sort());
      expect(await all(store.readAll({ direction: 'backward' }))).toEqual(events.toReversed());
    });

    it('selects by types and by prefixes of streams, and both together', async () => {
      await store.append('b-1', 'no-stream', [anEvent('Other'), anEvent('Happened')]);
      const types = async (selection: object) => (await all(store.readAll(selection))).map((event) => event.type);
      expect(await types({ types: ['Other'] })).toEqual(['Other']);
      expect(await types({ streamPrefixes: ['b-'] })).toEqual(['Other', 'Happened']);
      expect(await types({ types: ['Happened'], streamPrefixes: ['b-', 'c-'] })).toEqual(['Happened']);
      expect(await types({ types: [] })).toEqual([]);
    });

    it('gives back what was stored, whatever it held', async () => {
      const data = {
        unicode: 'Größe 日本 📷 \u202e "quotes" \\u0000 \\ud800',
        nothing: null,
        large: '9007199254740993',
        numbers: [0, -1, 1.5, Number.MAX_SAFE_INTEGER],
        flag: false,
        nested: { empty: {}, list: [] },
      };
      const event = { ...anEvent('Kept', data), metadata: { ...anEvent().metadata, reason: 'weil – ß' } };
      await store.append('k-1', 'no-stream', [event]);
      const [stored] = await all(store.readStream('k-1'));
      expect(stored).toMatchObject({ ...event, stream: 'k-1', revision: 0n });
      expect(stored?.recordedAt).toBeInstanceOf(Date);
      expect(Math.abs(Date.now() - Number(stored?.recordedAt.getTime()))).toBeLessThan(60_000);
    });
  });

  describe('subscribing', () => {
    let controller: AbortController;

    beforeEach(() => {
      controller = new AbortController();
    });

    afterEach(() => {
      controller.abort();
    });

    /** Batches until `enough`, then ends the subscription. */
    const follow = async (
      options: { after: string; types?: string[]; maxBatch?: number },
      enough: (batches: readonly Batch[]) => boolean,
      meanwhile: () => Promise<unknown> = () => Promise.resolve(),
    ): Promise<readonly Batch[]> => {
      const batches: Batch[] = [];
      const doing = meanwhile();
      for await (const batch of store.subscribe({ ...options, signal: controller.signal })) {
        batches.push(batch);
        if (enough(batches)) break;
      }
      await doing;
      return batches;
    };
    const isLive = (batches: readonly Batch[]) => batches.at(-1)?.live === true;
    const counts = (batches: readonly Batch[]) => batches.reduce((sum, batch) => sum + batch.events.length, 0);

    it('starts at the beginning, in the middle or at the head', async () => {
      await store.append('a-1', 'no-stream', several(4));
      const positions = (await all(store.readAll())).map((event) => event.position);
      expect(counts(await follow({ after: '' }, isLive))).toBe(4);
      expect(counts(await follow({ after: positions[1] ?? '' }, isLive))).toBe(2);
      expect(counts(await follow({ after: positions[3] ?? '' }, isLive))).toBe(0);
    });

    it('says that it is live also in an empty log', async () => {
      const [first] = await follow({ after: '' }, isLive);
      expect(first).toEqual({ events: [], upTo: '', live: true });
    });

    it('comes in batches of at most the wanted size, each up to where it looked', async () => {
      await store.append('a-1', 'no-stream', several(10));
      const batches = await follow({ after: '', maxBatch: 3 }, isLive);
      expect(batches.map((batch) => batch.events.length)).toEqual([3, 3, 3, 1]);
      for (const { events, upTo } of batches) expect(upTo).toBe(events.at(-1)?.position);
    });

    it('moves on over ranges of which nothing was selected', async () => {
      await store.append('a-1', 'no-stream', several(10));
      const batches = await follow({ after: '', types: ['Nothing'] }, isLive);
      expect(counts(batches)).toBe(0);
      expect(batches.at(-1)?.upTo).toBe(await store.head());
    });

    it('is told of what comes later, without having to wait long', async () => {
      const began = performance.now();
      const batches = await follow(
        { after: '' },
        (seen) => counts(seen) === 3,
        async () => {
          await store.append('a-1', 'no-stream', several(2));
          await store.append('a-1', 1n, several(1));
        },
      );
      expect(counts(batches)).toBe(3);
      expect(performance.now() - began).toBeLessThan(900);
    });

    it('ends promptly when its signal is aborted, asleep or not yet begun', async () => {
      const running = follow({ after: '' }, () => false);
      await store.append('a-1', 'no-stream', several(1));
      controller.abort();
      await running;
      expect(await follow({ after: '' }, () => false)).toEqual([]);
    });

    it('resumes after its last batch without losing or doubling', async () => {
      await store.append('a-1', 'no-stream', several(10));
      const [first] = await follow({ after: '', maxBatch: 4 }, (batches) => batches.length === 1);
      const rest = await follow({ after: first?.upTo ?? '', maxBatch: 4 }, isLive);
      const ids = [...(first?.events ?? []), ...rest.flatMap((batch) => batch.events)].map((event) => event.id);
      expect(ids).toEqual((await all(store.readAll())).map((event) => event.id));
    });

    it('gives every subscriber everything', async () => {
      const both = Promise.all([1, 2].map(() => follow({ after: '' }, (seen) => counts(seen) === 5)));
      await store.append('a-1', 'no-stream', several(5));
      expect((await both).map(counts)).toEqual([5, 5]);
    });
  });

  it('keeps ids apart from streams: a new id is new everywhere', async () => {
    const id = newId();
    await store.append('a-1', 'no-stream', [anEvent('Happened', {}, id)]);
    await expect(store.append('b-1', 'any', [anEvent('Happened', {}, id)])).rejects.toThrow(EventIdReused);
  });
});
