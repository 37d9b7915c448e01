import { describe, expect, it } from '@jest/globals';

import type { CommandContext } from '#domain/kernel/command-context';
import { Aggregates } from '#platform/event-store/aggregates';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { newId } from '#platform/ids/ids';
import type { BuildStatus, ProjectionStatus } from '#platform/projections/projection-progress.port';
import type { ProjectionUpkeep } from '#platform/projections/projection-upkeep.port';

import { ProjectionOrders } from './projection-orders.js';

const BUILT: ProjectionStatus = {
  ...{ name: 'job', version: 3, ownVersion: 3, generation: 1, position: '', status: 'running' },
  ...{ error: null, stoppedEventId: null, skippedEvents: 0, lagSeconds: 0, building: null },
};
const BUILDING: BuildStatus = {
  ...{ version: 3, generation: 2, position: '', status: 'building', events: 0, startedAt: new Date(0) },
  ...{ error: null, stoppedEventId: null },
};
const STOPPED: ProjectionStatus = { ...BUILT, status: 'stopped', error: 'broken', stoppedEventId: 'e1' };

/** One projection, and what was really done to it. */
function world(status: ProjectionStatus) {
  const done: string[] = [];
  const now = { status };
  const becomes = (what: string, isPossible: boolean, next: ProjectionStatus) => {
    if (isPossible) {
      done.push(what);
      now.status = next;
    }
    return Promise.resolve(isPossible);
  };
  const upkeep: Omit<ProjectionUpkeep, 'verify' | 'check'> = {
    rebuild: async () =>
      (await becomes('rebuild', now.status.building === null, { ...now.status, building: BUILDING })) ? 2 : null,
    cancel: (_name, { generation, startedAt }) => {
      const { building } = now.status;
      const isMeant = building?.generation === generation && building.startedAt.getTime() === startedAt.getTime();
      return becomes('cancel', isMeant, { ...now.status, building: null });
    },
    retry: () => becomes('retry', now.status.status === 'stopped', BUILT),
    skip: () => becomes('skip', now.status.stoppedEventId === 'e1', BUILT),
  };
  const progress = { status: () => Promise.resolve([now.status]) };
  const aggregates = new Aggregates(new InMemoryEventStore());
  return { now, done, orders: new ProjectionOrders(aggregates, progress, upkeep as ProjectionUpkeep) };
}

function command(): CommandContext {
  const id = newId();
  return { actor: { kind: 'user', id: 'u1' }, correlationId: id, causationId: id, commandId: id, reason: 'a trial' };
}

const ORDERS = [
  ['rebuild', BUILT, (orders: ProjectionOrders, context: CommandContext) => orders.rebuild('job', context)],
  [
    'cancel',
    { ...BUILT, building: BUILDING },
    (orders: ProjectionOrders, context: CommandContext) => orders.cancel('job', context),
  ],
  ['retry', STOPPED, (orders: ProjectionOrders, context: CommandContext) => orders.retry('job', context)],
  ['skip', STOPPED, (orders: ProjectionOrders, context: CommandContext) => orders.skip('job', 'e1', context)],
] as const;

describe('an order about a projection', () => {
  it.each(ORDERS)('%s, given again by the same command, is answered and done once', async (what, status, give) => {
    const { done, orders } = world(status);
    const context = command();
    const first = await give(orders, context);
    expect(await give(orders, context)).toEqual(first);
    expect(done).toEqual([what]);
  });

  it.each(ORDERS)('%s by somebody else finds nothing left to do', async (what, status, give) => {
    const { done, orders } = world(status);
    await give(orders, command());
    await expect(give(orders, command())).rejects.toMatchObject({ kind: 'conflict' });
    expect(done).toEqual([what]);
  });

  it('is not done a second time when the rows that it made are read already', async () => {
    const { now, done, orders } = world(BUILT);
    const context = command();
    await orders.rebuild('job', context);
    now.status = { ...BUILT, generation: 2 };
    expect(await orders.rebuild('job', context)).toEqual(now.status);
    expect(done).toEqual(['rebuild']);
  });

  it('is done by the repeat when nothing came of it the first time', async () => {
    const { now, done, orders } = world(BUILT);
    const context = command();
    await orders.rebuild('job', context);
    now.status = BUILT;
    expect((await orders.rebuild('job', context)).building).not.toBeNull();
    expect(done).toEqual(['rebuild', 'rebuild']);
  });

  it('to try again, given again, leaves alone what stopped elsewhere meanwhile', async () => {
    const { now, done, orders } = world(STOPPED);
    const context = command();
    await orders.retry('job', context);
    now.status = { ...STOPPED, stoppedEventId: 'e2' };
    expect(await orders.retry('job', context)).toEqual(now.status);
    expect(done).toEqual(['retry']);
  });

  it('to try again is done by the repeat when it was only noted the first time', async () => {
    const { now, done, orders } = world(STOPPED);
    const context = command();
    await orders.retry('job', context);
    now.status = STOPPED;
    expect(await orders.retry('job', context)).toEqual(BUILT);
    expect(done).toEqual(['retry', 'retry']);
  });

  it('to give up a rebuild, given again, leaves alone what somebody began meanwhile under the same number', async () => {
    const { now, done, orders } = world({ ...BUILT, building: BUILDING });
    const context = command();
    await orders.cancel('job', context);
    now.status = { ...BUILT, building: { ...BUILDING, startedAt: new Date(1000) } };
    expect(await orders.cancel('job', context)).toEqual(now.status);
    expect(done).toEqual(['cancel']);
  });

  it('to give up a rebuild is done by the repeat when it was only noted the first time', async () => {
    const { now, done, orders } = world({ ...BUILT, building: BUILDING });
    const context = command();
    await orders.cancel('job', context);
    now.status = { ...BUILT, building: BUILDING };
    expect((await orders.cancel('job', context)).building).toBeNull();
    expect(done).toEqual(['cancel', 'cancel']);
  });
});
