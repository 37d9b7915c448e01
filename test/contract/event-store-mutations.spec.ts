import { describe, expect, it } from '@jest/globals';

import { type EventStore, InvalidPosition, WrongExpectedRevision } from '#platform/event-store/event-store.port';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';

import { appending, knowingEveryId } from '../kit/event-store-checks/appending.js';
import type { Check } from '../kit/event-store-checks/check.js';
import { manyWriters } from '../kit/event-store-checks/many-writers.js';
import { mapped, Passing } from '../kit/event-store-checks/passing.js';
import { reading } from '../kit/event-store-checks/reading.js';
import { subscribing } from '../kit/event-store-checks/subscribing.js';
import { all, anEvent } from '../kit/events.js';

/** What every adapter must keep; the checks that only some adapters are held to aren't needed to notice these faults. */
const CHECKS: readonly Check[] = [...appending, ...reading, ...subscribing];

/** In memory each check takes milliseconds; one that waits for ever has noticed as well. */
const CHECK_MS = 3000;

/** Each is a way in which an adapter may be wrong; the sentence says how. */
type Faults = Readonly<Record<string, new (inner: EventStore) => EventStore>>;

const FAULTS: Faults = {
  'drops the last event of a batch': class extends Passing {
    override subscribe(...call: Parameters<EventStore['subscribe']>) {
      return mapped(super.subscribe(...call), (batch) => ({
        ...batch,
        events: batch.events.length > 1 ? batch.events.slice(0, -1) : batch.events,
      }));
    }
  },

  'swaps two events of a batch': class extends Passing {
    override subscribe(...call: Parameters<EventStore['subscribe']>) {
      return mapped(super.subscribe(...call), (batch) => {
        const [first, second, ...rest] = batch.events;
        return first === undefined || second === undefined ? batch : { ...batch, events: [second, first, ...rest] };
      });
    }
  },

  'repeats one event after it resumed': class extends Passing {
    override async *subscribe(options: Parameters<EventStore['subscribe']>[0]) {
      let repeated = false;
      for await (const batch of super.subscribe(options)) {
        if (options.after === '' || repeated) {
          yield batch;
          continue;
        }
        repeated = true;
        const again = [];
        for await (const event of this.inner.readAll({ direction: 'backward' })) {
          if (event.position === options.after) again.push(event);
        }
        yield { ...batch, events: [...again, ...batch.events] };
      }
    }
  },

  'repeats one event while it is live': class extends Passing {
    override async *subscribe(options: Parameters<EventStore['subscribe']>[0]) {
      for await (const batch of super.subscribe(options)) {
        yield batch;
        if (batch.events.length > 1) yield { ...batch, events: batch.events.slice(-1) };
      }
    }
  },

  'ignores the expected revision': class extends Passing {
    override append(...[stream, , events]: Parameters<EventStore['append']>) {
      return super.append(stream, 'any', events);
    }
  },

  'takes no-stream for any': class extends Passing {
    override append(...[stream, expected, events]: Parameters<EventStore['append']>) {
      return super.append(stream, expected === 'no-stream' ? 'any' : expected, events);
    }
  },

  'takes after as inclusive': class extends Passing {
    override async *readAll(options: Parameters<EventStore['readAll']>[0] = {}) {
      const { after } = options;
      if (after !== undefined && options.direction !== 'backward') {
        for await (const event of this.inner.readAll()) if (event.position === after) yield event;
      }
      yield* super.readAll(options);
    }
  },

  'loses metadata': class extends Passing {
    override append(...[stream, expected, events]: Parameters<EventStore['append']>) {
      return super.append(
        stream,
        expected,
        events.map((event) => ({ ...event, metadata: anEvent().metadata })),
      );
    }
  },

  'numbers revisions from 1': class extends Passing {
    override readStream(...call: Parameters<EventStore['readStream']>) {
      return mapped(super.readStream(...call), (event) => ({ ...event, revision: event.revision + 1n }));
    }
  },

  'answers an append with the revision before': class extends Passing {
    override async append(...call: Parameters<EventStore['append']>) {
      const appended = await super.append(...call);
      return { ...appended, revision: appended.revision - 1n };
    }
  },

  'does not say that an append is a duplicate': class extends Passing {
    override async append(...call: Parameters<EventStore['append']>) {
      return { ...(await super.append(...call)), duplicate: false };
    }
  },

  'refuses an append that it has stored before': class extends Passing {
    override async append(...call: Parameters<EventStore['append']>) {
      const appended = await super.append(...call);
      if (appended.duplicate) throw new WrongExpectedRevision(call[0], call[1], appended.revision);
      return appended;
    }
  },

  'stores an append a second time': class extends Passing {
    override async append(...[stream, expected, events]: Parameters<EventStore['append']>) {
      const appended = await super.append(stream, expected, events);
      if (!appended.duplicate) return appended;
      const again = events.map((event) => ({ ...event, id: anEvent().id }));
      return { ...(await super.append(stream, 'any', again)), duplicate: true };
    }
  },

  'does not move over ranges of which nothing is selected': class extends Passing {
    override async *subscribe(options: Parameters<EventStore['subscribe']>[0]) {
      let upTo = options.after;
      for await (const batch of super.subscribe(options)) {
        upTo = batch.events.at(-1)?.position ?? upTo;
        yield { ...batch, upTo };
      }
    }
  },

  'never says that it is live': class extends Passing {
    override async *subscribe(options: Parameters<EventStore['subscribe']>[0]) {
      const limited = { ...options, signal: AbortSignal.any([options.signal, AbortSignal.timeout(200)]) };
      for await (const batch of super.subscribe(limited)) yield { ...batch, live: false };
    }
  },

  'ignores the limit of a read': class extends Passing {
    override readStream(...[stream, options]: Parameters<EventStore['readStream']>) {
      return super.readStream(stream, { ...options, limit: Infinity });
    }
  },

  'ignores the direction of a read': class extends Passing {
    override readStream(...[stream, options]: Parameters<EventStore['readStream']>) {
      return super.readStream(stream, { ...options, direction: 'forward' });
    }
  },

  'takes a position that is none for the beginning': class extends Passing {
    override async *readAll(options: Parameters<EventStore['readAll']>[0] = {}) {
      try {
        yield* super.readAll(options);
      } catch (error) {
        if (!(error instanceof InvalidPosition)) throw error;
        yield* super.readAll();
      }
    }
  },

  'stores a part of an append that it refuses': class extends Passing {
    override async append(...[stream, expected, events]: Parameters<EventStore['append']>) {
      try {
        return await super.append(stream, expected, events);
      } catch (error) {
        if (error instanceof WrongExpectedRevision) await super.append(stream, 'any', events.slice(0, 1));
        throw error;
      }
    }
  },

  'says a wrong actual revision': class extends Passing {
    override async append(...[stream, expected, events]: Parameters<EventStore['append']>) {
      return super.append(stream, expected, events).catch((error: unknown) => {
        throw error instanceof WrongExpectedRevision ? new WrongExpectedRevision(stream, expected, 0n) : error;
      });
    }
  },
};

/** Ways to be wrong about ids, for a store that says it can look any up. */
const FAULTS_ABOUT_IDS: Faults = {
  'stores again with any what it has stored': class extends Passing {
    override append(...[stream, expected, events]: Parameters<EventStore['append']>) {
      if (expected !== 'any') return super.append(stream, expected, events);
      return super.append(
        stream,
        expected,
        events.map((event) => ({ ...event, id: anEvent().id })),
      );
    }
  },

  'takes any order of known ids for the same append': class extends Passing {
    override async append(...call: Parameters<EventStore['append']>) {
      const [stream, expected, events] = call;
      if (expected !== 'any') return super.append(...call);
      const known = await all(this.inner.readStream(stream));
      const last = known.findLast(({ id }) => events.some((event) => event.id === id));
      if (last === undefined) return super.append(...call);
      return { revision: last.revision, position: last.position, duplicate: true };
    }
  },

  'knows ids of the same stream only': class extends Passing {
    private readonly given = new Map<string, string>();
    override append(...[stream, expected, events]: Parameters<EventStore['append']>) {
      const own = events.map((event) => {
        const first = this.given.get(event.id) ?? stream;
        this.given.set(event.id, first);
        return first === stream ? event : { ...event, id: anEvent().id };
      });
      return super.append(stream, expected, own);
    }
  },

  'looks no further back than the expected revision': class extends Passing {
    override async append(...[stream, expected, events]: Parameters<EventStore['append']>) {
      const before = typeof expected === 'bigint' ? await all(this.inner.readStream(stream)) : [];
      const stands = new Set(before.filter(({ revision }) => revision <= (expected as bigint)).map(({ id }) => id));
      return super.append(
        stream,
        expected,
        events.map((event) => (stands.has(event.id) ? { ...event, id: anEvent().id } : event)),
      );
    }
  },
};

/** True for one of so many. */
const oneOf = (many: number) => {
  let calls = 0;
  return () => {
    calls += 1;
    return calls % many === 0;
  };
};

/** Ways to be wrong that show when many write and readers come and go. */
const FAULTS_AMONG_MANY: Faults = {
  'passes over an event now and then, as one that shows positions before their turn': class extends Passing {
    private readonly isTime = oneOf(500);
    override subscribe(...call: Parameters<EventStore['subscribe']>) {
      return mapped(super.subscribe(...call), (batch) => ({
        ...batch,
        events: batch.events.filter(() => !this.isTime()),
      }));
    }
  },

  'brings an event twice now and then': class extends Passing {
    private readonly isTime = oneOf(500);
    override subscribe(...call: Parameters<EventStore['subscribe']>) {
      return mapped(super.subscribe(...call), (batch) => ({
        ...batch,
        events: batch.events.flatMap((event) => (this.isTime() ? [event, event] : [event])),
      }));
    }
  },

  'swaps two events now and then': class extends Passing {
    private readonly isTime = oneOf(50);
    override subscribe(...call: Parameters<EventStore['subscribe']>) {
      return mapped(super.subscribe(...call), (batch) => ({
        ...batch,
        events: this.isTime() ? batch.events.toReversed() : batch.events,
      }));
    }
  },

  'says that it is farther than what it brought': class extends Passing {
    override subscribe(...call: Parameters<EventStore['subscribe']>) {
      return mapped(super.subscribe(...call), (batch) =>
        batch.events.length < 2 ? batch : { ...batch, events: batch.events.slice(0, -1) },
      );
    }
  },

  'says that it is less far than what it brought': class extends Passing {
    override subscribe(...call: Parameters<EventStore['subscribe']>) {
      return mapped(super.subscribe(...call), (batch) => ({
        ...batch,
        upTo: batch.events.at(-2)?.position ?? batch.upTo,
      }));
    }
  },

  'begins at the head when it resumes': class extends Passing {
    override async *subscribe(options: Parameters<EventStore['subscribe']>[0]) {
      yield* super.subscribe({ ...options, after: options.after === '' ? '' : await this.inner.head() });
    }
  },

  'begins at the beginning when it resumes': class extends Passing {
    override subscribe(options: Parameters<EventStore['subscribe']>[0]) {
      return super.subscribe({ ...options, after: '' });
    }
  },

  'acknowledges an append now and then that it does not store': class extends Passing {
    private readonly isTime = oneOf(200);
    override async append(...call: Parameters<EventStore['append']>) {
      if (!this.isTime()) return super.append(...call);
      return { revision: 0n, position: await this.inner.head(), duplicate: false };
    }
  },

  'stores an append twice now and then': class extends Passing {
    private readonly isTime = oneOf(200);
    override async append(...[stream, expected, events]: Parameters<EventStore['append']>) {
      const appended = await super.append(stream, expected, events);
      if (!this.isTime()) return appended;
      return super.append(
        stream,
        'any',
        events.map((event) => ({ ...event, id: anEvent().id })),
      );
    }
  },

  'stores a part of an append now and then': class extends Passing {
    private readonly isTime = oneOf(200);
    override append(...[stream, expected, events]: Parameters<EventStore['append']>) {
      return super.append(stream, expected, this.isTime() && events.length > 1 ? events.slice(1) : events);
    }
  },

  'gives two events of a stream one revision now and then': class extends Passing {
    override readStream(...[stream, options]: Parameters<EventStore['readStream']>) {
      const read = super.readStream(stream, options);
      if (options?.direction === 'backward') return read;
      return mapped(read, (event) => ({
        ...event,
        revision: event.revision > 40n ? event.revision - 1n : event.revision,
      }));
    }
  },

  'reads everything in another order than it shows readers': class extends Passing {
    override async *readAll(...call: Parameters<EventStore['readAll']>) {
      const events = await all(super.readAll(...call));
      yield* events.toSorted((one, other) => (one.stream < other.stream ? -1 : 1));
    }
  },

  'leaves a reader asleep that comes while it is written': class extends Passing {
    private readonly isTime = oneOf(3);
    override async *subscribe(options: Parameters<EventStore['subscribe']>[0]) {
      if (options.after !== '' && this.isTime()) await new Promise(() => undefined);
      yield* super.subscribe(options);
    }
  },
};

/** The name of the first check that fails, or doesn't end; each check gets an empty store of its own. */
async function firstRed(checks: readonly Check[], open: () => EventStore): Promise<string | null> {
  for (const { name, run } of checks) {
    const ended = await Promise.race([run(open()).then(() => true), late()]).catch(() => false);
    if (!ended) return name;
  }
  return null;
}

async function late(): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, CHECK_MS).unref());
  return false;
}

describe.each([
  { about: 'event stores', checks: CHECKS, faults: FAULTS },
  { about: 'event stores that can look any id up', checks: knowingEveryId, faults: FAULTS_ABOUT_IDS },
  { about: 'event stores with many writers', checks: [manyWriters(CHECK_MS / 1000)], faults: FAULTS_AMONG_MANY },
])('the checks of $about', ({ checks, faults }) => {
  it('find nothing wrong with a store that is right', async () => {
    expect(await firstRed(checks, () => new Passing(new InMemoryEventStore()))).toBeNull();
  });

  it.each(Object.entries(faults))('notice a store that %s', async (_fault, Faulty) => {
    expect(await firstRed(checks, () => new Faulty(new InMemoryEventStore()))).not.toBeNull();
  });
});
