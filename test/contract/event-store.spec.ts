import { afterEach, beforeEach, describe, it } from '@jest/globals';

import type { EventStore } from '#platform/event-store/event-store.port';

import { appending, knowingEveryId } from '../kit/event-store-checks/appending.js';
import { reading } from '../kit/event-store-checks/reading.js';
import { subscribing } from '../kit/event-store-checks/subscribing.js';
import { EVENT_STORES } from '../kit/event-stores.js';

describe.each(EVENT_STORES)('an event store $name', ({ open, knowsEveryId }) => {
  let store: EventStore;
  let clear: () => Promise<void>;

  beforeEach(async () => {
    ({ store, clear } = await open());
  });

  afterEach(async () => {
    await clear();
  });

  describe.each([
    { about: 'appending', checks: knowsEveryId ? [...appending, ...knowingEveryId] : appending },
    { about: 'reading', checks: reading },
    { about: 'subscribing', checks: subscribing },
  ])('$about', ({ checks }) => {
    it.each(checks)('$name', ({ run }) => run(store));
  });
});
