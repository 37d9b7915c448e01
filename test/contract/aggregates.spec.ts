import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import type { CommandContext, Decision } from '#domain/kernel/command-context';
import { AlreadyReserved, reservation } from '#domain/kernel/reservation';
import { Aggregates } from '#platform/event-store/aggregates';
import { type EventStore, StreamHasMoved } from '#platform/event-store/event-store.port';
import { newId } from '#platform/ids/ids';

import { all, EVENT_STORES } from '../kit/event-stores.js';

const WAYS = EVENT_STORES.flatMap(({ name, open }) => [
  { name, open, begins: {} },
  { name: `${name} where they take a stream for new`, open, begins: { begins: true } as const },
]);

describe.each(WAYS)('commands on an event store $name', ({ open, begins }) => {
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
      ...begins,
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
        ...begins,
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

  it('are answered alike in each of many copies, though each copy would have decided something else', async () => {
    const context = asking();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => reserve(`me-${index}`, context)));
    const [stored] = await all(store.readStream('name-x'));
    expect(new Set(answers.map(({ events }) => events[0]?.data.by))).toEqual(
      new Set([(stored?.data as { by: string }).by]),
    );
  });

  it('leave who asked, why and in which request with each event', async () => {
    const context = { ...asking(), reason: 'because' };
    await reserve('me', context);
    const [event] = await all(store.readStream('name-x'));
    expect(event?.metadata).toEqual({ ...context, schemaVersion: 1 });
  });

  it('read a stream that they take for new only when there is something in it', async () => {
    const read = jest.spyOn(store, 'readStream');
    await reserve('me');
    expect(read).toHaveBeenCalledTimes('begins' in begins ? 0 : 1);
    await expect(reserve('you')).rejects.toBeInstanceOf(AlreadyReserved);
    expect(read).toHaveBeenCalledTimes('begins' in begins ? 1 : 2);
  });

  it('tell the position after which rows show what was decided', async () => {
    const { position } = await reserve('me');
    expect(position).toBe(await store.head());
  });

  it('change a stream only at a revision that the caller has seen', async () => {
    const at = (...revisions: bigint[]): CommandContext => ({
      ...asking(),
      precondition: { categories: ['name'], revisions },
    });
    await expect(reserve('me', at(0n))).rejects.toMatchObject({ stream: 'name-x', actual: -1n });
    await reserve('me', at(-1n));
    await expect(reserve('you', at(-1n))).rejects.toBeInstanceOf(StreamHasMoved);
    await expect(reserve('you', at(0n))).rejects.toBeInstanceOf(AlreadyReserved);
    const elsewhere = { ...asking(), precondition: { categories: ['other'], revisions: [7n] } };
    await expect(reserve('you', elsewhere)).rejects.toBeInstanceOf(AlreadyReserved);
    expect(await all(store.readStream('name-x'))).toHaveLength(1);
  });

  it('of many who have seen the same revision, change the stream for one', async () => {
    await reserve('me');
    const release = (index: number) =>
      aggregates.handle({
        decider: { ...reservation, decide: () => [{ type: 'ReservationReleased', data: { by: `me-${index}` } }] },
        stream: 'name-x',
        command: { type: 'Release', by: 'me' },
        context: { ...asking(), precondition: { categories: ['name'], revisions: [0n] } },
        ...begins,
      });
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => release(index)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(StreamHasMoved);
    }
  });

  it('tell their witness what they decided, also the second time, and keep it out of the log', async () => {
    const decisions: Decision[] = [];
    const witness = { decided: (decision: Decision) => decisions.push(decision) };
    const context = { ...asking(), witness } as unknown as CommandContext;
    const { position } = await reserve('me', context);
    await reserve('me', context);
    expect(decisions).toEqual([1, 2].map(() => ({ stream: 'name-x', revision: 0n, position })));
    const [stored] = await all(store.readStream('name-x'));
    expect(Object.keys(stored?.metadata ?? {}).sort()).toEqual(
      ['actor', 'causationId', 'commandId', 'correlationId', 'schemaVersion'].sort(),
    );
  });
});
