import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import type { Database } from '#platform/database/database';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { SagaRuntime } from '#platform/sagas/runtime';
import { SagaFeed } from '#platform/sagas/saga-feed';

import { freshDatabase } from '../kit/database.js';
import { anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';

/** Hears of what happened, and wants nothing. */
class Listener extends SagaRuntime {
  readonly offered: string[] = [];

  override get listensTo(): readonly string[] {
    return ['Happened'];
  }

  override offer({ position }: { readonly position: string }): Promise<void> {
    this.offered.push(position);
    return Promise.resolve();
  }
}

describe('the feed of the sagas', () => {
  let database: Database;
  let drop: () => Promise<void>;
  let store: InMemoryEventStore;
  let feeds: SagaFeed[];

  beforeEach(async () => {
    ({ database, drop } = await freshDatabase());
    store = new InMemoryEventStore();
    feeds = [];
  });

  afterEach(async () => {
    await Promise.all(feeds.map((feed) => feed.stop()));
    await drop();
  });

  const start = () => {
    const listener = new Listener(store, []);
    const feed = new SagaFeed(database, store, listener, silentLog);
    feeds.push(feed);
    feed.start();
    return { feed, listener };
  };
  const happen = async () => (await store.append('c-1', 'any', [anEvent('Happened', {})])).position;
  const checkpoint = async () => {
    const [row] = await database.query<{ position: string }>('select position from saga_checkpoint');
    return row?.position;
  };

  it('writes down how far it is now and then, not with every event', async () => {
    const asked = jest.spyOn(database.pool, 'query');
    const { listener } = start();
    let last = '';
    for (let events = 0; events < 50; events += 1) {
      last = await happen();
      await eventually(() => {
        expect(listener.offered).toContain(last);
      });
    }
    await eventually(async () => {
      expect(await checkpoint()).toBe(last);
    });
    const writes = asked.mock.calls.filter(([query]) => (query as { name?: string }).name === 'saga checkpoint');
    expect(writes.length).toBeLessThan(50);
  });

  it('offers nothing again after a stop that it had time for', async () => {
    const { feed, listener } = start();
    await happen();
    await eventually(async () => {
      expect(await checkpoint()).not.toBe('');
    });
    const last = await happen();
    await eventually(() => {
      expect(listener.offered).toContain(last);
    });
    await feed.stop();
    expect(await checkpoint()).toBe(last);
    const next = start().listener;
    const newest = await happen();
    await eventually(() => {
      expect(next.offered).toEqual([newest]);
    });
  });

  it('takes nothing back that another one has written down', async () => {
    const { feed, listener } = start();
    const last = await happen();
    await eventually(() => {
      expect(listener.offered).toContain(last);
    });
    await database.query(`update saga_checkpoint set position = '99999999999999999999'`);
    await feed.stop();
    expect(await checkpoint()).toBe('99999999999999999999');
  });
});
