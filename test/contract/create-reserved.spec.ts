import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import type { CommandContext, Decision } from '#domain/kernel/command-context';
import type { Decider } from '#domain/kernel/decider';
import type { DomainEvent, JsonObject } from '#domain/kernel/event';
import { reservation, type ReservationEvent } from '#domain/kernel/reservation';
import type { EffectRequest } from '#domain/kernel/saga';
import { Aggregates, type Decided } from '#platform/event-store/aggregates';
import { type EventStore, EventStoreAway } from '#platform/event-store/event-store.port';
import { newId } from '#platform/ids/ids';
import { CommandEffect, type CommandArgs } from '#platform/sagas/command.effect';
import { createReserved } from '#platform/sagas/create-reserved';
import { SagaRuntime } from '#platform/sagas/runtime';
import { registerSaga } from '#sagas/register/register.saga';

import { all, EVENT_STORES } from '../kit/event-stores.js';

type Reserving = Decided<ReservationEvent>;
type Requested = EffectRequest & { readonly effectId: string };

const ID = newId();

/** Would make a thing as often as it is told to. */
const thing: Decider<null, { readonly type: 'MakeThing' }, DomainEvent<'ThingMade', JsonObject>> = {
  initial: null,
  evolve: () => null,
  decide: () => [{ type: 'ThingMade', data: {} }],
};

describe.each(EVENT_STORES)('what was reserved on an event store $name', ({ open }) => {
  let store: EventStore;
  let aggregates: Aggregates;
  let clear: () => Promise<void>;
  let context: CommandContext;
  let reserved: Reserving['events'];

  beforeEach(async () => {
    ({ store, clear } = await open());
    aggregates = new Aggregates(store);
    const commandId = newId();
    context = { actor: { kind: 'user', id: 'somebody' }, correlationId: newId(), causationId: commandId, commandId };
    ({ events: reserved } = await reserve());
  });

  afterEach(async () => {
    await clear();
  });

  const reserve = () =>
    aggregates.handle({
      decider: reservation,
      stream: 'name-main',
      command: {
        type: 'Reserve',
        by: ID,
        label: 'a thing',
        creates: { category: 'thing', command: { type: 'MakeThing' } },
      },
      context,
    });
  const byRequest = (by = ID) => createReserved(aggregates, thing, reserved, by, context);
  /** What the register saga and the worker do, however late. */
  const bySaga = async () => {
    const [event] = await all(store.readStream('name-main'));
    await new SagaRuntime(store, [registerSaga]).offer(event!);
    const steps = await all(store.readStream(`register-${ID}`));
    const requested = steps.find(({ type }) => type === 'EffectRequested');
    const { effectId, args } = requested?.data as Requested;
    const worker = new CommandEffect(aggregates, { thing: thing });
    await worker.execute(args as CommandArgs, {
      effectId,
      saga: 'register',
      requestedEventId: requested?.id ?? '',
      attempt: 1,
      correlationId: context.correlationId,
      signal: new AbortController().signal,
    });
  };
  const created = () => all(store.readStream(`thing-${ID}`));

  it('is created by whoever reserved it, and the saga finds it done', async () => {
    const heard: string[] = [];
    context = { ...context, witness: { decided: ({ position }) => void heard.push(position) } };
    expect(await byRequest()).toBe(true);
    expect(heard).toEqual((await created()).map(({ position }) => position));
    await bySaga();
    expect(await created()).toMatchObject([
      { type: 'ThingMade', metadata: { actor: context.actor, causationId: reserved[0]?.id } },
    ]);
  });

  it('is created by the saga when whoever reserved it is no more, and only once when that one comes late', async () => {
    await bySaga();
    await byRequest();
    expect(await created()).toMatchObject([
      { type: 'ThingMade', metadata: { actor: { kind: 'saga', id: 'register' } } },
    ]);
  });

  it('is created once when both come at the same time', async () => {
    await Promise.all([byRequest(), byRequest(), bySaga(), bySaga()]);
    expect(await created()).toMatchObject([{ type: 'ThingMade' }]);
  });

  it('is left to the saga where it was reserved before, and heard of when it is there', async () => {
    const heard: string[] = [];
    const witness = { decided: ({ position }: Decision) => void heard.push(position) };
    const again = () => createReserved(aggregates, thing, reserved, newId(), { ...context, witness });
    expect(await again()).toBe(false);
    expect([await created(), heard]).toEqual([[], []]);
    await bySaga();
    expect(await again()).toBe(true);
    expect(heard).toEqual((await created()).map(({ position }) => position));
  });

  it('is waited for by nobody for long while the log says nothing', async () => {
    jest.spyOn(store, 'append').mockReturnValueOnce(new Promise(() => undefined));
    const began = performance.now();
    expect(await byRequest()).toBe(false);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await created()).toEqual([]);
  });

  it('is left to the saga where the log takes nothing', async () => {
    jest.spyOn(store, 'append').mockRejectedValueOnce(new EventStoreAway(new Error('the log is away')));
    await byRequest();
    expect(await created()).toEqual([]);
    await bySaga();
    expect(await created()).toMatchObject([{ type: 'ThingMade' }]);
  });
});
