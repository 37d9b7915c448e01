import { describe, expect, it } from '@jest/globals';

import { EventStore, InvalidPosition, WrongExpectedRevision } from '#platform/event-store/event-store.port';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';

import { appending } from '../kit/event-store-checks/appending.js';
import type { Check } from '../kit/event-store-checks/check.js';
import { reading } from '../kit/event-store-checks/reading.js';
import { subscribing } from '../kit/event-store-checks/subscribing.js';
import { anEvent } from '../kit/events.js';

/** What every adapter must keep; the checks that only some adapters are held to aren't needed to notice these faults. */
const CHECKS: readonly Check[] = [...appending, ...reading, ...subscribing];

/** In memory each check takes milliseconds; one that waits for ever has noticed as well. */
const CHECK_MS = 3000;

/** A store that passes everything on to another; a fault overrides what it breaks. */
class Passing extends EventStore {
  constructor(protected readonly inner: EventStore) {
    super();
  }
  append(...call: Parameters<EventStore['append']>) {
    return this.inner.append(...call);
  }
  readStream(...call: Parameters<EventStore['readStream']>) {
    return this.inner.readStream(...call);
  }
  readAll(...call: Parameters<EventStore['readAll']>) {
    return this.inner.readAll(...call);
  }
  subscribe(...call: Parameters<EventStore['subscribe']>) {
    return this.inner.subscribe(...call);
  }
  head() {
    return this.inner.head();
  }
}

async function* mapped<Item>(items: AsyncIterable<Item>, change: (item: Item) => Item | null): AsyncIterable<Item> {
  for await (const item of items) {
    const changed = change(item);
    if (changed !== null) yield changed;
  }
}

/** Each is a way in which an adapter may be wrong; the sentence says how. */
const FAULTS: Readonly<Record<string, new (inner: EventStore) => EventStore>> = {
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

/** The name of the first check that fails, or doesn't end; each check gets an empty store of its own. */
async function firstRed(open: () => EventStore): Promise<string | null> {
  for (const { name, run } of CHECKS) {
    const ended = await Promise.race([run(open()).then(() => true), late()]).catch(() => false);
    if (!ended) return name;
  }
  return null;
}

async function late(): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, CHECK_MS).unref());
  return false;
}

describe('the checks of event stores', () => {
  it('find nothing wrong with a store that is right', async () => {
    expect(await firstRed(() => new Passing(new InMemoryEventStore()))).toBeNull();
  });

  it.each(Object.entries(FAULTS))('notice a store that %s', async (_fault, Faulty) => {
    expect(await firstRed(() => new Faulty(new InMemoryEventStore()))).not.toBeNull();
  });
});
