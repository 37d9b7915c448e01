import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { CommandContext } from '#domain/kernel/command-context';
import { AlreadyReserved, reservation } from '#domain/kernel/reservation';
import { Aggregates } from '#platform/event-store/aggregates';
import type { EventStore } from '#platform/event-store/event-store.port';
import { newId } from '#platform/ids/ids';

import { all, EVENT_STORES } from '../kit/event-stores.js';

describe.each(EVENT_STORES)('commands on an event store $name', ({ open }) => {
  let store: EventStore;
  let aggregates: Aggregates;
  let clear: () => Promise<void>;

  beforeEach(async () => {
    ({ store, clear } = await open());
    aggregates = new Aggregates(store);
  });

  afterEach(async () => {
    await clear();
  });

  const asking = (commandId = newId()): CommandContext => ({
    actor: { kind: 'user', id: 'somebody' },
    correlationId: newId(),
    causationId: commandId,
    commandId,
  });
  const reserve = (by: string, context = asking()) =>
    aggregates.handle({
      decider: reservation,
      stream: 'name-x',
      command: { type: 'Reserve', by, label: 'x', creates: { category: 'thing', command: {} } },
      context,
    });

  it('let one of a hundred reserve a name', async () => {
    const results = await Promise.allSettled(Array.from({ length: 100 }, (_, index) => reserve(`me-${index}`)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(AlreadyReserved);
    }
    expect(await all(store.readStream('name-x'))).toHaveLength(1);
  });

  it('decide again on the newer history when somebody was faster', async () => {
    const release = (by: string) =>
      aggregates.handle({
        decider: reservation,
        stream: 'name-x',
        command: { type: 'Release', by },
        context: asking(),
      });
    await reserve('me');
    await Promise.all(Array.from({ length: 20 }, () => release('me')));
    expect((await all(store.readStream('name-x'))).map((event) => event.type)).toEqual([
      'Reserved',
      'ReservationReleased',
    ]);
  });

  it('are answered from the stream when they come again', async () => {
    const context = asking();
    const first = await reserve('me', context);
    const again = await reserve('me', context);
    expect(again).toMatchObject({ revision: first.revision, position: first.position });
    expect(again.events).toMatchObject([{ type: 'Reserved', data: { by: 'me' } }]);
  });

  it('leave who asked, why and in which request with each event', async () => {
    const context = { ...asking(), reason: 'because' };
    await reserve('me', context);
    const [event] = await all(store.readStream('name-x'));
    expect(event?.metadata).toEqual({ ...context, schemaVersion: 1 });
  });

  it('tell the position after which rows show what was decided', async () => {
    const { position } = await reserve('me');
    expect(position).toBe(await store.head());
  });
});
