import { beforeEach, describe, expect, it } from '@jest/globals';

import type { CommandContext } from '#domain/kernel/command-context';
import { Aggregates } from '#platform/event-store/aggregates';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import type { BuildStatus, ProjectionStatus } from '#platform/projections/projection-progress.port';
import type { ProjectionUpkeep } from '#platform/projections/projection-upkeep.port';

import { NoRebuildUnderWay, NoStoppedProjection, NotStoppedThere, RebuildUnderWay } from './operations.errors.js';
import { ProjectionOrders } from './projection-orders.js';

const RUNNING: ProjectionStatus = {
  name: 'job',
  version: 1,
  ownVersion: 1,
  generation: 1,
  position: '',
  status: 'running',
  error: null,
  stoppedEventId: null,
  lagSeconds: 0,
  building: null,
};
const STOPPED: ProjectionStatus = { ...RUNNING, status: 'stopped', error: 'trial', stoppedEventId: 'e-1' };
const BUILDING: BuildStatus = {
  version: 1,
  generation: 2,
  status: 'building',
  position: '',
  events: 0,
  error: null,
  stoppedEventId: null,
  startedAt: new Date(0),
};

const asked = (commandId: string): CommandContext => ({
  actor: { kind: 'user', id: 'u-1' },
  correlationId: commandId,
  causationId: commandId,
  commandId,
  reason: 'a trial',
});

describe('orders about a projection', () => {
  let store: InMemoryEventStore;
  let status: ProjectionStatus;
  let done: string[];
  let orders: ProjectionOrders;

  beforeEach(() => {
    store = new InMemoryEventStore();
    status = RUNNING;
    done = [];
    const become = (what: string, next: ProjectionStatus) => {
      done.push(what);
      status = next;
      return Promise.resolve(true);
    };
    const upkeep = {
      rebuild: () => become('rebuild', { ...status, building: BUILDING }),
      cancel: () => become('cancel', { ...status, building: null }),
      retry: () => become('retry', RUNNING),
      skip: () => become('skip', RUNNING),
    } as unknown as ProjectionUpkeep;
    const progress = { status: () => Promise.resolve([status]) };
    orders = new ProjectionOrders(new Aggregates(store), progress, upkeep);
  });

  const cases = [
    ['rebuild', RUNNING, RebuildUnderWay, (context: CommandContext) => orders.rebuild('job', context)],
    [
      'cancel',
      { ...RUNNING, building: BUILDING },
      NoRebuildUnderWay,
      (context: CommandContext) => orders.cancel('job', context),
    ],
    ['retry', STOPPED, NoStoppedProjection, (context: CommandContext) => orders.retry('job', context)],
    ['skip', STOPPED, NotStoppedThere, (context: CommandContext) => orders.skip('job', 'e-1', context)],
  ] as const;

  it.each(cases)('%s, given again since nobody heard its answer, is answered as the first time', async (...one) => {
    const [what, before, , order] = one;
    status = before;
    const first = await order(asked('c-1'));
    expect(await order(asked('c-1'))).toEqual(first);
    expect(done).toEqual([what]);
    const events: string[] = [];
    for await (const event of store.readAll()) events.push(event.type);
    expect(events).toHaveLength(1);
  });

  it.each(cases)('%s by somebody else is refused when it is done already', async (...one) => {
    const [, before, refusal, order] = one;
    status = before;
    await order(asked('c-1'));
    await expect(order(asked('c-2'))).rejects.toThrow(refusal);
  });

  it('that were noted and not carried out, since OMA was killed in between, are carried out', async () => {
    await orders.rebuild('job', asked('c-1'));
    status = RUNNING;
    expect((await orders.rebuild('job', asked('c-1'))).building).toEqual(BUILDING);
    expect(done).toEqual(['rebuild', 'rebuild']);
  });
});
