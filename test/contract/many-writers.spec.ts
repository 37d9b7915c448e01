import { afterEach, beforeEach, describe, it } from '@jest/globals';

import type { EventStore } from '#platform/event-store/event-store.port';

import { manyWriters } from '../kit/event-store-checks/many-writers.js';
import { EVENT_STORES } from '../kit/event-stores.js';

describe.each(EVENT_STORES)('an event store $name with many writers', ({ open }) => {
  const { name, run } = manyWriters(30);
  let store: EventStore;
  let clear: () => Promise<void>;

  beforeEach(async () => {
    ({ store, clear } = await open());
  });

  afterEach(async () => {
    await clear();
  });

  it(name, () => run(store), 60_000);
});
