import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { NewEvent } from '#domain/kernel/event';
import {
  type EventStore,
  EventStoreAway,
  InvalidAppend,
  InvalidPosition,
  WrongExpectedRevision,
} from '#platform/event-store/event-store.port';
import { EventStoreDbEventStore } from '#platform/event-store/eventstoredb/eventstoredb.event-store';
import type { Logger } from '#platform/logging/logger.port';

import { EventStoreDbDouble } from '#lab/eventstoredb/double';
import type { AppendMisbehaviour } from '#lab/eventstoredb/misbehaviour';
import { NO_STREAM } from '#lab/eventstoredb/server-log';
import { all, anEvent } from '../kit/events.js';
import { eventually } from '../kit/eventually.js';
import { seededRandom } from '../kit/seeded-random.js';
import { silentLog } from '../kit/silent-log.js';

const SILENCE_MS = 300;

/** A subscriber that writes down what it gets, until it is stopped. */
function listening(store: EventStore, after = '') {
  const life = new AbortController();
  const ids: string[] = [];
  let upTo = after;
  const running = (async () => {
    for await (const batch of store.subscribe({ after, signal: life.signal, maxBatch: 50 })) {
      ids.push(...batch.events.map((event) => event.id));
      upTo = batch.upTo;
    }
  })();
  const stop = async () => {
    life.abort();
    await running;
  };
  return { ids, stop, upTo: () => upTo };
}

describe('the log in EventStoreDB', () => {
  let double: EventStoreDbDouble;
  let store: EventStoreDbEventStore;

  let warnings: string[];

  const opened = async (url: string, namespace = '', silenceMs = SILENCE_MS) => {
    const warn = (_fields: object, message: string) => void warnings.push(message);
    const log = Object.assign(Object.create(silentLog) as Logger, { warn });
    const other = new EventStoreDbEventStore({ url, namespace, silenceMs }, log);
    await other.start();
    return other;
  };

  beforeEach(async () => {
    warnings = [];
    double = await EventStoreDbDouble.start();
    store = await opened(double.url);
  });

  afterEach(async () => {
    double.wake();
    await store.close();
    double.stop();
  });

  const idsOf = async (stream: string) => (await all(store.readStream(stream))).map((event) => event.id);

  describe('appending', () => {
    it.each<[string, AppendMisbehaviour]>([
      ['the stream breaks before it is stored', 'reset'],
      ['the stream breaks after it was stored', 'stored-then-reset'],
      ['no answer comes', 'stored-then-silence'],
      ['the server says that it took too long', 'stored-then-timeout'],
      ['another node leads', 'not-leader'],
      ['the server has no resources left', 'overload'],
      ['the server has just started', 'not-ready'],
      ['the server answers twice', 'answered-twice'],
      ['the server does not say where', 'answered-without-position'],
      ['something went wrong on the server before it was stored', 'internal'],
      ['something went wrong on the server after it was stored', 'stored-then-internal'],
      ['the server does not know what went wrong before it was stored', 'unknown'],
      ['the server does not know what went wrong after it was stored', 'stored-then-unknown'],
      ['the server answers that it does not know, and it is not stored', 'answered-unknown'],
      ['the server answers that it does not know, and it is stored', 'stored-then-answered-unknown'],
    ])('stores once and answers the one place when %s', async (_what, kind) => {
      await store.append('a-1', 'no-stream', [anEvent()]);
      double.wrong.forAppends(2, kind);
      const events = [anEvent(), anEvent()];
      const appended = await store.append('a-1', 0n, events);
      const neighbour = await store.append('a-2', 'no-stream', [anEvent()]);
      expect(appended).toMatchObject({ revision: 2n, duplicate: false });
      expect((await idsOf('a-1')).slice(1)).toEqual(events.map(({ id }) => id));
      expect((await all(store.readStream('a-1'))).at(-1)?.position).toBe(appended.position);
      expect(await store.append('a-1', 0n, events)).toEqual({ ...appended, duplicate: true });
      expect(neighbour.revision).toBe(0n);
    });

    it.each(['any', 'stream-exists', 0n] as const)(
      'looks where an append stands when the server does not say, expected %s, new or repeated',
      async (expected) => {
        await store.append('a-1', 'no-stream', [anEvent()]);
        const events = [anEvent(), anEvent()];
        double.wrong.forAppends(2, 'answered-without-position');
        const appended = await store.append('a-1', expected, events);
        await store.append('a-1', 2n, [anEvent()]);
        double.wrong.forAppends(1, 'answered-without-position');
        const again = await store.append('a-1', expected, events);
        const [, , last] = await all(store.readStream('a-1'));
        expect(appended).toEqual({ revision: 2n, position: last?.position, duplicate: false });
        expect(again).toEqual({ ...appended, duplicate: true });
        expect(double.wrong.left).toBe(0);
      },
    );

    it.each<[number, AppendMisbehaviour]>([
      [1, 'stored-then-reset'],
      [0, 'internal'],
      [1, 'stored-then-internal'],
      [0, 'unknown'],
      [1, 'stored-then-unknown'],
      [0, 'answered-unknown'],
      [1, 'stored-then-answered-unknown'],
    ])(
      'says that the outcome is not known where a repeat could store twice: %s is stored, %s',
      async (stored, kind) => {
        double.wrong.forAppends(1, kind);
        await expect(store.append('a-1', 'any', [anEvent()])).rejects.toThrow(EventStoreAway);
        expect(await idsOf('a-1')).toHaveLength(stored);
      },
    );

    it('says so too, within the promised time, when the server goes on failing', async () => {
      double.wrong.forAppends(1000, 'stored-then-internal');
      const event = anEvent();
      await expect(store.append('a-1', 'no-stream', [event])).rejects.toThrow(EventStoreAway);
      expect(await idsOf('a-1')).toEqual([event.id]);
    }, 30_000);

    it.each([
      ['is not there', 14],
      ['failed', 13],
      ['does not know why it failed', 2],
    ])('asks once more what the server can do when the one who answers %s', async (_who, code) => {
      double.wrong.featureFailures.push(code);
      const event = anEvent();
      expect((await store.append('a-1', 'no-stream', [event])).revision).toBe(0n);
      expect(await idsOf('a-1')).toEqual([event.id]);
      expect(double.wrong.featureFailures).toEqual([]);
    });

    it('waits for a server that takes batches, and sends nothing in the older way, which would not call it JSON', async () => {
      double.wrong.withoutBatches = 2;
      const event = anEvent();
      expect((await store.append('a-1', 'no-stream', [event])).revision).toBe(0n);
      expect(await idsOf('a-1')).toEqual([event.id]);
      expect(double.wrong.withoutBatches).toBe(0);
    });

    it('says at the first start which version it needs, where the server never takes batches', async () => {
      double.wrong.withoutBatches = Infinity;
      const [starting, appending] = [store.named(), store.append('a-1', 'no-stream', [anEvent()])];
      await Promise.all([
        expect(starting).rejects.toMatchObject({ exitCode: 78, message: expect.stringContaining('21.10 or later') }),
        expect(appending).rejects.toThrow(EventStoreAway),
      ]);
      expect(double.log.stream('a-1')).toBeNull();
    }, 30_000);

    it('stores JSON that every tool of the server can read', async () => {
      const event = anEvent();
      await store.append('a-1', 'no-stream', [event]);
      const stored = double.log.records.find(({ id }) => id === event.id);
      expect(stored?.isJson).toBe(true);
      expect(JSON.parse(Buffer.from(stored?.data ?? []).toString())).toEqual(event.data);
    });

    it('tells the loser of a race which revision the stream has, also when the first answer was lost', async () => {
      await store.append('a-1', 'no-stream', [anEvent(), anEvent()]);
      double.wrong.forAppends(1, 'reset');
      const losing = store.append('a-1', 0n, [anEvent()]);
      await expect(losing).rejects.toMatchObject({ name: WrongExpectedRevision.name, actual: 1n });
    });

    it('loses and doubles nothing with 32 writers while the server does everything wrong', async () => {
      const random = seededRandom(2310);
      const kinds = [
        'reset',
        'stored-then-reset',
        'stored-then-timeout',
        'overload',
        'not-ready',
        'not-leader',
        'stored-then-internal',
        'unknown',
      ] as const;
      const seen = listening(store);
      const writer = async (number: number) => {
        const written: string[] = [];
        for (let round = 0; round < 20; round += 1) {
          if (random() < 0.1) double.wrong.forAppends(1, kinds[Math.floor(random() * kinds.length)] ?? 'reset');
          if (random() < 0.02) double.reads.dropSubscribers();
          const events: NewEvent[] = Array.from({ length: 1 + Math.floor(random() * 3) }, () => anEvent());
          await store.append(`w-${number}-${round}`, 'no-stream', events);
          written.push(...events.map(({ id }) => id));
        }
        return written;
      };
      const written = (await Promise.all(Array.from({ length: 32 }, (_, index) => writer(index)))).flat();
      const log = (await all(store.readAll())).map(({ id }) => id);
      expect([...log].sort()).toEqual([...written].sort());
      await eventually(() => {
        expect(seen.ids).toEqual(log);
      });
      await seen.stop();
    }, 60_000);
  });

  describe('when the server goes away and comes back', () => {
    it('finishes what was being appended, and says red and green', async () => {
      expect(await store.answers()).toBe(true);
      double.goAway();
      const event = anEvent();
      const appending = store.append('a-1', 'no-stream', [event]);
      expect(await store.answers()).toBe(false);
      await double.comeBack();
      expect((await appending).revision).toBe(0n);
      expect(await idsOf('a-1')).toEqual([event.id]);
      await eventually(async () => {
        expect(await store.answers()).toBe(true);
      });
    });

    it('goes on with subscriptions and reads where they were', async () => {
      const written: string[] = [];
      const seen = listening(store);
      for (let round = 0; round < 4; round += 1) {
        const events = [anEvent(), anEvent(), anEvent()];
        await store.append(`a-${round}`, 'no-stream', events);
        written.push(...events.map(({ id }) => id));
        double.goAway();
        await double.comeBack();
      }
      await eventually(() => {
        expect(seen.ids).toEqual(written);
      });
      await seen.stop();
      expect((await all(store.readAll())).map(({ id }) => id)).toEqual(written);
    });

    it('tells who waits, within the promised time, that it is away', async () => {
      double.goAway();
      const began = performance.now();
      const results = await Promise.allSettled([
        store.append('a-1', 'no-stream', [anEvent()]),
        store.append('a-2', 0n, [anEvent()]),
        all(store.readAll()),
        store.head(),
      ]);
      for (const result of results) {
        expect(result).toMatchObject({ status: 'rejected', reason: expect.any(EventStoreAway) as unknown });
      }
      expect(performance.now() - began).toBeLessThan(22_000);
    }, 40_000);

    it('answers soon after it is back, however long it was away', async () => {
      double.goAway();
      // Long enough for pauses between the client's own tries to have grown beyond what is waited for below.
      const until = performance.now() + 12_000;
      await eventually(async () => {
        expect(await store.answers()).toBe(false);
        expect(performance.now()).toBeGreaterThan(until);
      }, 20);
      await double.comeBack();
      await eventually(async () => {
        expect(await store.answers()).toBe(true);
      }, 3);
      expect((await store.append('a-1', 'no-stream', [anEvent()])).revision).toBe(0n);
    }, 60_000);
  });

  describe('when the server does not answer', () => {
    it('says so within two seconds, and takes up again when it does', async () => {
      double.hang();
      const began = performance.now();
      expect(await store.answers()).toBe(false);
      expect(performance.now() - began).toBeLessThan(2500);
      const event = anEvent();
      const appending = store.append('a-1', 'no-stream', [event]);
      // Until the adapter's own limit has passed once, so that the same append is under way twice.
      await new Promise((resolve) => setTimeout(resolve, 4500));
      double.wake();
      expect((await appending).revision).toBe(0n);
      expect(await idsOf('a-1')).toEqual([event.id]);
      expect(await store.answers()).toBe(true);
    });
  });

  it('gives the whole connection up that an append had no answer over, with all that is followed over it', async () => {
    const other = await opened(double.url, 'berlin', 60_000);
    const seen = listening(other);
    await other.append('a-1', 'no-stream', [anEvent()]);
    await eventually(() => {
      expect(seen.ids).toHaveLength(1);
    });
    // Whoever follows over the same connection hears nothing more; over another one it is told what it missed.
    double.wrong.deaf = true;
    double.wrong.forAppends(1, 'stored-then-silence');
    await other.append('a-1', 0n, [anEvent()]);
    await eventually(() => {
      expect(seen.ids).toHaveLength(2);
    });
    await seen.stop();
    await other.close();
  });

  it('goes on with a read over the next connection when the one that it came over is given up', async () => {
    // More than fits on the way: most of it is still on the server then.
    const events = Array.from({ length: 500 }, () => anEvent('Happened', { text: 'x'.repeat(1000) }));
    await store.append('a-1', 'no-stream', events);
    const ids: string[] = [];
    for await (const { id } of store.readStream('a-1')) {
      ids.push(id);
      if (ids.length > 1) continue;
      double.wrong.forAppends(1, 'stored-then-silence');
      await store.append('a-2', 'no-stream', [anEvent()]);
    }
    expect(ids).toEqual(events.map(({ id }) => id));
  });

  describe('when a node does not know any better', () => {
    it('begins though the server was frozen when it was opened first', async () => {
      double.hang();
      const other = new EventStoreDbEventStore({ url: double.url, namespace: '' }, silentLog);
      expect(await other.answers()).toBe(false);
      const event = anEvent();
      const appending = other.append('a-1', 'no-stream', [event]);
      // Until its first client, whose question about the server's features nobody answers, was given up.
      await pause(4500);
      double.wake();
      expect((await appending).revision).toBe(0n);
      expect(await idsOf('a-1')).toEqual([event.id]);
      await other.close();
    });

    it('appends to the node that leads now, and goes on reading', async () => {
      const seen = listening(store);
      await store.append('a-1', 'no-stream', [anEvent()]);
      const leader = await EventStoreDbDouble.start(0, double.log);
      double.wrong.leader = leader.address;
      double.wrong.forAppends(1000, 'not-leader');
      const events = [anEvent(), anEvent()];
      expect(await store.append('a-1', 0n, events)).toMatchObject({ revision: 2n, duplicate: false });
      expect(double.wrong.left).toBeLessThan(1000);
      expect((await idsOf('a-1')).slice(1)).toEqual(events.map(({ id }) => id));
      await eventually(() => {
        expect(seen.ids).toHaveLength(3);
      });
      await seen.stop();
      await store.close();
      leader.stop();
    });
  });

  describe('reading', () => {
    it.each(['unavailable', 'broken-off'] as const)('brings everything once though reads are %s', async (how) => {
      const events = Array.from({ length: 10 }, () => anEvent());
      await store.append('a-1', 'no-stream', events);
      const ids = events.map(({ id }) => id);
      double.wrong.forReads(2, how);
      expect(await idsOf('a-1')).toEqual(ids);
      double.wrong.forReads(2, how);
      expect((await all(store.readAll())).map(({ id }) => id)).toEqual(ids);
      double.wrong.forReads(2, how);
      expect((await all(store.readAll({ direction: 'backward' }))).map(({ id }) => id)).toEqual(ids.toReversed());
      double.wrong.forReads(1, how);
      expect(await store.head()).toBe((await all(store.readAll())).at(-1)?.position);
    });

    it('takes no position for a wrong one that a subscription has come to, whatever the server says', async () => {
      const life = new AbortController();
      const turns = store.subscribe({ after: '', signal: life.signal, maxBatch: 2 })[Symbol.asyncIterator]();
      const ids: string[] = [];
      const take = async () => {
        const { value } = (await turns.next()) as { value: { events: { id: string }[] } };
        ids.push(...value.events.map(({ id }) => id));
      };
      await take();
      const quick = listening(store);
      for (let round = 0; round < 12; round += 1) {
        await store.append(
          `a-${round}`,
          'no-stream',
          Array.from({ length: 450 }, () => anEvent()),
        );
      }
      await eventually(() => {
        expect(quick.ids).toHaveLength(5400);
      });
      // It is further back than what is kept, so that the server is asked.
      await take();
      double.wrong.forReads(1, 'error');
      while (ids.length < 5400) await take();
      await quick.stop();
      life.abort();
      await turns.return?.();
      expect(ids).toEqual((await all(store.readAll())).map(({ id }) => id));
    });
  });

  it('takes no position for a wrong one whose events have come in part, whatever the server says then', async () => {
    const { position } = await store.append('a-1', 'no-stream', [anEvent()]);
    await store.append(
      'a-1',
      0n,
      Array.from({ length: 10 }, () => anEvent()),
    );
    double.wrong.forReads(1, 'broken-off');
    double.wrong.forReads(1, 'error');
    await expect(all(store.readAll({ after: position }))).rejects.toThrow('Unexpected ReadAllResult');
  });

  describe('subscribing', () => {
    it('goes on where it was when it is dropped as soon as it has caught up', async () => {
      const events = Array.from({ length: 100 }, () => anEvent());
      await store.append('a-1', 'no-stream', events);
      double.wrong.dropsAtSwitch = 3;
      const seen = listening(store);
      await store.append('a-2', 'no-stream', [anEvent()]);
      await eventually(() => {
        expect(double.wrong.dropsAtSwitch).toBe(0);
      });
      await store.append('a-3', 'no-stream', [anEvent()]);
      await eventually(() => {
        expect(seen.ids).toHaveLength(102);
      });
      expect(seen.ids).toEqual((await all(store.readAll())).map(({ id }) => id));
      expect(warnings).toEqual([]);
      await seen.stop();
    });

    it('resumes from where the server said it was catching up, and misses and doubles nothing', async () => {
      const seen = listening(store);
      await eventually(() => {
        expect(double.reads.subscribers).toBe(1);
      });
      // While nothing comes, others write what is looked at in one stretch when it resumes.
      double.wrong.deaf = true;
      for (let index = 0; index < 500; index += 1) {
        const strange = { id: anEvent().id, type: 'Theirs', isJson: true, data: bytes({}), metadata: bytes({}) };
        double.log.append('theirs_1', BigInt(index) - 1n, [strange]);
      }
      double.wrong.deaf = false;
      double.wrong.dropsAtSwitch = 2;
      double.reads.dropSubscribers();
      await eventually(() => {
        expect(double.wrong.dropsAtSwitch).toBe(0);
      });
      const events = [anEvent(), anEvent()];
      await store.append('a-1', 'no-stream', events);
      await eventually(() => {
        expect(seen.ids).toEqual(events.map(({ id }) => id));
      });
      await seen.stop();
    });

    it('waits in silence behind a position that the log has not reached', async () => {
      const { position } = await store.append('a-1', 'no-stream', [anEvent()]);
      const number = String(BigInt(position.split('/')[0] ?? 0) + 100_000n).padStart(20, '0');
      const seen = listening(store, `${number}/${number}`);
      await store.append('a-1', 0n, [anEvent()]);
      const besides = listening(store, position);
      await eventually(() => {
        expect(besides.ids).toHaveLength(1);
      });
      expect(seen.ids).toEqual([]);
      expect(seen.upTo()).toBe(`${number}/${number}`);
      await besides.stop();
      await seen.stop();
    });

    it('goes on at once, and without alarm, when the server finds it too slow', async () => {
      const seen = listening(store);
      const written: string[] = [];
      for (let round = 0; round < 6; round += 1) {
        const events = Array.from({ length: 100 }, () => anEvent());
        await store.append(`a-${round}`, 'no-stream', events);
        written.push(...events.map(({ id }) => id));
      }
      await eventually(() => {
        expect(seen.ids).toEqual(written);
      });
      expect(warnings).toEqual([]);
      await seen.stop();
    });

    it('passes over what a resumed subscription brings again', async () => {
      const seen = listening(store);
      double.wrong.repeatsOnResume = 5;
      const written: string[] = [];
      for (let round = 0; round < 10; round += 1) {
        const event = anEvent();
        await store.append(`a-${round}`, 'no-stream', [event]);
        written.push(event.id);
        await eventually(() => {
          expect(seen.ids).toEqual(written);
        });
        double.reads.dropSubscribers();
      }
      await seen.stop();
      expect(seen.ids).toEqual(written);
    });

    it('notices a subscription that says nothing any more while the log goes on', async () => {
      const seen = listening(store);
      await store.append('a-1', 'no-stream', [anEvent()]);
      await eventually(() => {
        expect(seen.ids).toHaveLength(1);
      });
      double.wrong.deaf = true;
      await store.append('a-1', 0n, [anEvent()]);
      await eventually(() => {
        expect(seen.ids).toHaveLength(2);
      });
      await seen.stop();
    });

    it('lets a slow reader fall back behind what is kept, and loses nothing', async () => {
      const life = new AbortController();
      const turns = store.subscribe({ after: '', signal: life.signal, maxBatch: 400 })[Symbol.asyncIterator]();
      await turns.next();
      for (let round = 0; round < 12; round += 1) {
        await store.append(
          `a-${round}`,
          'no-stream',
          Array.from({ length: 450 }, () => anEvent()),
        );
      }
      const head = await store.head();
      const ids: string[] = [];
      for (let upTo = ''; upTo < head;) {
        const { value } = (await turns.next()) as { value: { events: { id: string }[]; upTo: string } };
        ids.push(...value.events.map(({ id }) => id));
        upTo = value.upTo;
      }
      life.abort();
      await turns.return?.();
      expect(ids).toEqual((await all(store.readAll())).map(({ id }) => id));
      expect(ids).toHaveLength(5400);
    });

    it('moves its checkpoint over what others have written', async () => {
      await store.append('a-1', 'no-stream', [anEvent()]);
      const strange = (id: string) => ({ id, type: 'Theirs', isJson: true, data: bytes({}), metadata: bytes({}) });
      for (let index = 0; index < 1500; index += 1) {
        double.log.append('theirs_1', BigInt(index) - 1n, [strange(anEvent().id)]);
      }
      // The server tells of every 32 events that it looked at.
      const nearTheEnd = double.log.records.at(-40)?.offset ?? 0n;
      const seen = listening(store, await store.head());
      await eventually(() => {
        expect(BigInt(seen.upTo().split('/')[0] ?? 0)).toBeGreaterThanOrEqual(nearTheEnd);
      });
      expect(seen.ids).toEqual([]);
      expect([seen.upTo() > (await store.head()), await store.reaches(seen.upTo())]).toEqual([true, true]);
      await seen.stop();
    });
  });

  describe('on a server that others use', () => {
    it('shows only its own events, whoever else writes', async () => {
      const mine = anEvent();
      const strange = { type: 'Theirs', isJson: true, data: bytes({}), metadata: bytes({}) };
      double.log.append('order-1', NO_STREAM, [{ ...strange, id: anEvent().id }]);
      double.log.append('$mine-1', NO_STREAM, [{ ...strange, id: anEvent().id }]);
      const elsewhere = await opened(double.url, 'berlin');
      await elsewhere.append('a-1', 'no-stream', [anEvent()]);
      await store.append('a-1', 'no-stream', [mine]);
      await elsewhere.append('a-1', 0n, [anEvent()]);
      expect((await all(store.readAll())).map(({ id }) => id)).toEqual([mine.id]);
      expect(await store.head()).toBe((await all(store.readStream('a-1')))[0]?.position);
      expect((await all(elsewhere.readAll())).map(({ stream, revision }) => [stream, revision])).toEqual([
        ['a-1', 0n],
        ['a-1', 1n],
      ]);
      const seen = listening(elsewhere);
      await eventually(() => {
        expect(seen.ids).toHaveLength(2);
      });
      await seen.stop();
      await elsewhere.close();
    });

    it('passes over what says that streams were deleted or set up, and goes on behind it', async () => {
      const [first, second, third] = [anEvent(), anEvent(), anEvent()];
      await store.append('a-1', 'no-stream', [first]);
      const seen = listening(store);
      const setUp = { id: anEvent().id, type: '$metadata', isJson: true, data: bytes({ $tb: 1 }), metadata: bytes({}) };
      double.log.append('$$a-1', NO_STREAM, [setUp]);
      const kept = await store.append('a-2', 'no-stream', [second]);
      double.log.tombstone('a-1');
      expect(await store.head()).toBe(kept.position);
      expect(await store.reaches(kept.position)).toBe(true);
      await eventually(() => {
        expect(seen.upTo() > kept.position).toBe(true);
      });
      // The end of a stream stands where all streams are read, as one of its events: with the highest revision there is.
      const end = seen.upTo();
      expect(await all(store.readAll({ after: end }))).toEqual([]);
      await store.append('a-2', 0n, [third]);
      const ids = [first, second, third].map(({ id }) => id);
      expect((await all(store.readAll())).map(({ id }) => id)).toEqual(ids);
      expect((await all(store.readAll({ direction: 'backward' }))).map(({ id }) => id)).toEqual(ids.toReversed());
      await eventually(() => {
        expect(seen.ids).toEqual(ids);
      });
      await seen.stop();
      const behind = listening(store);
      await eventually(() => {
        expect(behind.ids).toEqual(ids);
      });
      await behind.stop();
    });

    it('takes a stream that somebody deleted for ever neither for an empty one nor for an outage', async () => {
      await store.append('a-1', 'no-stream', [anEvent()]);
      double.log.tombstone('a-1');
      const deleted = {
        name: 'StreamDeleted',
        message:
          'stream a-1 was deleted on the event store, for ever; restore the event store from a backup that has it',
      };
      await expect(all(store.readStream('a-1'))).rejects.toMatchObject(deleted);
      await expect(all(store.readStream('a-1', { direction: 'backward', limit: 1 }))).rejects.toMatchObject(deleted);
      await expect(store.append('a-1', 0n, [anEvent()])).rejects.toMatchObject(deleted);
      await expect(store.append('a-1', 'no-stream', [anEvent()])).rejects.toMatchObject(deleted);
      await expect(store.append('a-1', 'any', [anEvent()])).rejects.toMatchObject(deleted);
    });

    it('keeps metadata as text, with the names that the tools of the server know', async () => {
      const event = anEvent();
      await store.append('a-1', 'no-stream', [event]);
      const [stored] = double.log.stream('a-1') ?? [];
      const metadata = JSON.parse(Buffer.from(stored?.metadata ?? []).toString()) as Record<string, unknown>;
      expect(metadata).toEqual({
        actorKind: 'user',
        actorId: 'somebody',
        correlationId: 'correlation',
        causationId: 'causation',
        schemaVersion: '1',
        $correlationId: 'correlation',
        $causationId: 'causation',
      });
    });

    it('refuses a position inside a record, and reads nothing after one beyond the end', async () => {
      const { position } = await store.append('a-1', 'no-stream', [anEvent()]);
      const moved = (by: bigint) => {
        const number = String(BigInt(position.split('/')[0] ?? 0) + by).padStart(20, '0');
        return `${number}/${number}`;
      };
      await expect(all(store.readAll({ after: moved(-1n) }))).rejects.toThrow(InvalidPosition);
      const subscribing = store.subscribe({ after: moved(-1n), signal: AbortSignal.timeout(5000) });
      await expect(subscribing[Symbol.asyncIterator]().next()).rejects.toThrow(InvalidPosition);
      expect(await all(store.readAll({ after: moved(1000n) }))).toEqual([]);
    });
  });

  describe('with much to carry', () => {
    const MEGABYTE = 1024 * 1024;
    const large = (bytes: number) => anEvent('Happened', { text: 'x'.repeat(bytes) });

    it('refuses an append over 16 MB by itself, and nobody beside it notices', async () => {
      const neighbours = Array.from({ length: 8 }, (_, index) => store.append(`b-${index}`, 'no-stream', [anEvent()]));
      await expect(store.append('a-1', 'no-stream', [large(17 * MEGABYTE)])).rejects.toThrow(InvalidAppend);
      const talkative = { ...anEvent(), metadata: { ...anEvent().metadata, reason: 'x'.repeat(17 * MEGABYTE) } };
      await expect(store.append('a-1', 'no-stream', [talkative])).rejects.toThrow(InvalidAppend);
      expect((await Promise.all(neighbours)).map(({ revision, duplicate }) => [revision, duplicate])).toEqual(
        neighbours.map(() => [0n, false]),
      );
      expect(await idsOf('a-1')).toEqual([]);
    });

    it('refuses what is more than a server takes that is set up to take less', async () => {
      double.wrong.maxAppendBytes = MEGABYTE / 2;
      const neighbour = store.append('b-1', 'no-stream', [anEvent()]);
      const refused = store.append('a-1', 'no-stream', [large(MEGABYTE / 2)]);
      await expect(refused).rejects.toThrow(InvalidAppend);
      await expect(refused).rejects.toThrow('the append is larger than the event store takes');
      expect((await neighbour).revision).toBe(0n);
      expect(await idsOf('a-1')).toEqual([]);
    });

    it('hands large events out in pages that fit into memory', async () => {
      const written = Array.from({ length: 40 }, () => large(MEGABYTE - 1000));
      for (const [number, event] of written.entries()) await store.append(`a-${number}`, 'no-stream', [event]);
      // One that keeps nothing of them yet.
      const other = await opened(double.url);
      const over = new AbortController();
      const pages: string[][] = [];
      for await (const { events, live } of other.subscribe({ after: '', signal: over.signal })) {
        if (live) over.abort();
        pages.push(events.map(({ id }) => id));
      }
      await other.close();
      expect(pages.flat()).toEqual(written.map(({ id }) => id));
      expect(pages.map(({ length }) => length)).toEqual([17, 17, 6]);
    }, 30_000);

    it('reads more in one go than one message may hold, and passes over the largest event that a server can have', async () => {
      const ids: string[] = [];
      for (let index = 0; index < 20; index += 1) {
        const event = large(MEGABYTE - 1000);
        await store.append('a-1', index === 0 ? 'no-stream' : BigInt(index - 1), [event]);
        ids.push(event.id);
        if (index !== 10) continue;
        const largest = { id: anEvent().id, type: 'Theirs', isJson: false, metadata: bytes({}) };
        double.log.append('theirs_1', NO_STREAM, [{ ...largest, data: new Uint8Array(16 * MEGABYTE) }]);
      }
      expect(await idsOf('a-1')).toEqual(ids);
      expect((await all(store.readAll())).map(({ id }) => id)).toEqual(ids);
      expect((await all(store.readAll({ direction: 'backward' }))).map(({ id }) => id)).toEqual(ids.toReversed());
      const seen = listening(store);
      await eventually(() => {
        expect(seen.ids).toEqual(ids);
      });
      await seen.stop();
      expect(warnings).toEqual([]);
    }, 30_000);
  });

  it('takes nothing any more once it is closed', async () => {
    const other = await opened(double.url);
    await other.append('a-1', 'no-stream', [anEvent()]);
    await other.close();
    for (let number = 0; number < 3; number += 1) {
      await expect(other.append(`b-${number}`, 'no-stream', [anEvent()])).rejects.toThrow(EventStoreAway);
      await expect(all(other.readStream('a-1'))).rejects.toThrow(EventStoreAway);
      await expect(other.head()).rejects.toThrow(EventStoreAway);
      expect(await other.answers()).toBe(false);
    }
    expect(await all(store.readAll())).toHaveLength(1);
  });

  it('leaves no connection behind when it is closed', async () => {
    const connections = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    const server = await EventStoreDbDouble.start();
    const before = connections();
    const other = await opened(server.url);
    await other.append('a-1', 'no-stream', [anEvent()]);
    expect(connections()).toBeGreaterThan(before);
    await other.close();
    await eventually(() => {
      expect(connections()).toBeLessThanOrEqual(before);
    });
    server.stop();
  });

  it('closes at once though something was read in part whose answer had come as a whole', async () => {
    const other = await opened(double.url);
    // More than the client hands on by itself, and no more than it takes from the wire.
    await other.append(
      'a-1',
      'no-stream',
      Array.from({ length: 40 }, () => anEvent()),
    );
    const inPart = other.readStream('a-1')[Symbol.asyncIterator]();
    await inPart.next();
    // On the same connection, so everything before it has come by then.
    expect(await all(other.readStream('a-1'))).toHaveLength(40);
    await inPart.return?.();
    await expect(promptly(other.close())).resolves.toBe('closed');
  });

  it('finds the leader of a cluster by asking', async () => {
    const other = await opened(double.discoverUrl);
    await other.append('a-1', 'no-stream', [anEvent()]);
    expect(await idsOf('a-1')).toHaveLength(1);
    await other.close();
  });

  it('survives a cluster that can not be found, and finds it again', async () => {
    const other = await opened(`${double.discoverUrl}&maxDiscoverAttempts=2&discoveryInterval=20`);
    await other.append('a-1', 'no-stream', [anEvent()]);
    const seen = listening(other);
    double.goAway();
    const appending = other.append('a-1', 0n, [anEvent()]);
    for (let look = 0; look < 3; look += 1) expect(await other.answers()).toBe(false);
    await double.comeBack();
    expect((await appending).revision).toBe(1n);
    await eventually(() => {
      expect(seen.ids).toHaveLength(2);
    });
    await seen.stop();
    await other.close();
  });

  it('survives that a connection breaks while the leader of a cluster is looked for in vain', async () => {
    const other = await opened(`${double.discoverUrl}&maxDiscoverAttempts=1&discoveryInterval=500`, '', 60_000);
    const seen = listening(other);
    await other.append('a-1', 'no-stream', [anEvent()]);
    await eventually(() => {
      expect(seen.ids).toHaveLength(1);
    });
    // After this the client asks for the leader before its next call, and what it follows still comes over the old connection.
    double.wrong.forReads(1, 'unavailable');
    expect(await other.answers()).toBe(false);
    const appending = other.append('a-1', 0n, [anEvent()]);
    double.goAway();
    expect(await other.answers()).toBe(false);
    await double.comeBack();
    expect((await appending).revision).toBe(1n);
    await eventually(() => {
      expect(seen.ids).toHaveLength(2);
    });
    await seen.stop();
    await other.close();
  });
});

/** What became of a close within five seconds. */
function promptly(closing: Promise<void>): Promise<'closed' | 'hangs'> {
  return Promise.race([closing.then(() => 'closed' as const), pause(5000, 'hangs' as const, { ref: false })]);
}

function bytes(json: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(json));
}
