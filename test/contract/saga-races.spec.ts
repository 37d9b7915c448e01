import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { StoredEvent } from '#domain/kernel/event';
import type { EffectRequest } from '#domain/kernel/saga';
import { sequence } from '#domain/kernel/sequence';
import { Database } from '#platform/database/database';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { newId } from '#platform/ids/ids';
import { ProjectionRunner } from '#platform/projections/projection-runner';
import type { AnyProjection } from '#platform/projections/tables';
import { type EffectContext, EffectError, type EffectExecutor } from '#platform/sagas/effect.port';
import { effectsProjection } from '#platform/sagas/effects.projection';
import { Leases } from '#platform/sagas/leases';
import type { AnySaga } from '#platform/sagas/runtime';
import { type EngineTimes, SagaEngine } from '#platform/sagas/saga-engine';
import { timersProjection } from '#platform/sagas/timers.projection';
import { waitsFor } from '#platform/sagas/waits-for';

import { freshDatabase } from '../kit/database.js';
import { all, anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';
import { effect, trial } from '../kit/trial-saga.js';

/** A door that work waits at until the test opens it. */
class Gate {
  private opener: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => (this.opener = resolve));
  open(): void {
    this.opener();
  }
}

/** A database that can be slow at one kind of statement. */
class SlowDatabase extends Database {
  readonly asked: string[] = [];
  slow: { readonly at: string; readonly gate: Gate } | null = null;

  override async query<Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    this.asked.push(sql);
    if (this.slow !== null && sql.includes(this.slow.at)) await this.slow.gate.opened;
    return super.query<Row>(sql, values);
  }
}

const TIMES: EngineTimes = {
  leaseSeconds: 30,
  heartbeatMs: 20,
  stopWithinMs: 5000,
  effectPollMs: 10,
  timerPollMs: 20,
  watchPollMs: 20,
};

const somebody = (name: string) => ({ instanceId: name, startId: `start of ${name}` });

const executor = (
  kind: string,
  execute: (context: EffectContext) => Promise<unknown>,
  more: Partial<EffectExecutor> = {},
): EffectExecutor => ({
  kind,
  observe: () => Promise.resolve({ state: 'absent' }),
  execute: async (_args, context) => {
    await execute(context);
    return {};
  },
  ...more,
});

const untilAborted = ({ signal }: EffectContext) =>
  new Promise<void>((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('told to stop'));
    });
  });

describe('the saga machinery under races', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: InMemoryEventStore;
  let runner: ProjectionRunner;
  let database: SlowDatabase;
  let engine: SagaEngine | null;

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new InMemoryEventStore();
    database = new SlowDatabase(fresh.url);
    engine = null;
    const projections = [effectsProjection, timersProjection] as unknown as AnyProjection[];
    runner = new ProjectionRunner(fresh.database, store, projections, silentLog);
    await runner.start();
  });

  afterEach(async () => {
    await engine?.stop();
    await database.close();
    await runner.stop();
    await fresh.drop();
  });

  const run = async (saga: AnySaga, executors: readonly EffectExecutor[], times: Partial<EngineTimes> = {}) => {
    engine = new SagaEngine({
      identity: somebody('one'),
      database,
      store,
      sagas: [saga],
      executors,
      logger: silentLog,
      times: { ...TIMES, ...times },
      caughtUp: () => runner.caughtUp(),
    });
    await engine.start();
  };
  const say = (type: string, id: string) => store.append(`ask-${id}`, 'any', [anEvent(type, { id })]);
  const logOf = async (id: string) => {
    const events: StoredEvent[] = [];
    for await (const event of store.readStream(`trial-${id}`)) events.push(event);
    return events;
  };
  const ended = (id: string) =>
    eventually(async () => {
      const last = (await logOf(id)).at(-1);
      if (last?.type !== 'SagaEnded') throw new Error(`the saga is at ${last?.type ?? 'nothing'}`);
      return (last.data as { outcome: string }).outcome;
    }, 5);

  it('never begins again what it is doing, even when its own lease ran out meanwhile', async () => {
    const gate = new Gate();
    let begun = 0;
    const long = executor('long', () => {
      begun += 1;
      return gate.opened;
    });
    const quick = executor('quick', () => Promise.resolve());
    await run(
      trial((id) => [[{ effect: effect(id) }]]),
      [long, quick],
      { heartbeatMs: 60_000 },
    );
    await say('TrialAsked', 'long');
    await eventually(() => {
      expect(begun).toBe(1);
    });
    await fresh.database.query(`update effect_lease set leased_until = now() - interval '1 second'`);
    await say('TrialAsked', 'quick');
    await ended('quick');
    gate.open();
    expect(await ended('long')).toBe('completed');
    expect(begun).toBe(1);
  });

  it('does not begin an effect that was cancelled while it looked', async () => {
    const gate = new Gate();
    let executed = 0;
    const signals: AbortSignal[] = [];
    const looking = executor(
      'looking',
      (context) => {
        executed += 1;
        return context.signal.aborted ? Promise.resolve() : untilAborted(context);
      },
      {
        observe: async (_args, context) => {
          signals.push(context.signal);
          await gate.opened;
          return { state: 'absent' };
        },
      },
    );
    await run(
      trial(() => [[{ effect: effect('looking') }]]),
      [looking],
    );
    await say('TrialAsked', 'x');
    await eventually(() => {
      expect(signals).toHaveLength(1);
    });
    await say('TrialStopped', 'x');
    await eventually(() => {
      expect(signals[0]?.aborted).toBe(true);
    });
    gate.open();
    expect(await ended('x')).toBe('cancelled');
    expect(executed).toBe(0);
  });

  it.each([
    ['result', () => Promise.resolve({ words: 'half a \ud83d' })],
    [
      'failure',
      () => Promise.reject(new EffectError('permanent', { code: 'failed', message: 'half a \ud83d', remedy: 'none' })),
    ],
  ])('ends a job whose step has a %s that no log takes', async (_what, execute) => {
    await run(
      trial(() => [[{ effect: effect('odd') }]]),
      [{ ...executor('odd', () => Promise.resolve()), execute }],
    );
    await say('TrialAsked', 'x');
    expect(await ended('x')).toBe('failed');
    expect(await logOf('x')).toContainEqual(
      expect.objectContaining({
        type: 'EffectFailed',
        data: expect.objectContaining({ failure: expect.objectContaining({ code: 'outcome-not-storable' }) }),
      }),
    );
  });

  it('notices what ended by itself though something else can not be looked at', async () => {
    let gone = false;
    const started = (kind: string, look: () => Promise<string | null>) =>
      executor(kind, () => Promise.resolve(), { ended: look });
    const blind = started('blind', () => Promise.reject(new Error('not reachable')));
    const seen = started('seen', () => Promise.resolve(gone ? 'it is gone' : null));
    const wait = executor('wait', untilAborted);
    const saga = trial((id) => [[{ effect: effect(id, { watched: true }) }], [{ effect: effect('wait') }]]);
    await run(saga, [blind, seen, wait]);
    await say('TrialAsked', 'blind');
    await eventually(async () => {
      expect(await logOf('blind')).toHaveLength(4);
    });
    await say('TrialAsked', 'seen');
    await eventually(async () => {
      expect(await logOf('seen')).toHaveLength(4);
    });
    gone = true;
    expect(await ended('seen')).toBe('failed');
  });

  it('fires timers though another one can not be delivered', async () => {
    const metadata = anEvent('x', {}).metadata;
    const timerId = newId();
    const timer = { id: newId(), type: 'TimerSet', data: { timerId, step: 'stay:1', seconds: 0 }, metadata };
    await store.append('retired-x', 'any', [timer]);
    const staying = sequence<object>({
      name: 'trial',
      version: 1,
      listensTo: ['TrialAsked'],
      correlate: () => ({ id: 'x', starts: true }),
      start: () => ({}),
      stop: () => null,
      groups: () => [[{ effect: effect('quick') }]],
      stay: {
        checkSeconds: () => 0.1,
        check: () => effect('quick'),
        closes: () => ({ code: 'idle', message: 'idle' }),
      },
      conclude: () => [],
    }) as AnySaga;
    await run(staying, [executor('quick', () => Promise.resolve())]);
    await say('TrialAsked', 'x');
    expect(await ended('x')).toBe('closed');
  });

  it('does one effect on a resource after the other, however late the table is', async () => {
    const COUNT = 20;
    const gate = new Gate();
    const done: string[] = [];
    const quick = executor('quick', async ({ effectId }) => {
      await gate.opened;
      done.push(effectId);
    });
    await run(
      trial(() => [[{ effect: effect('quick', { resource: 'the only one' }) }]]),
      [quick],
      // The first is seen at the start or after a poll; nothing but its predecessor's end tells of all others.
      { effectPollMs: 60_000 },
    );
    const ids = Array.from({ length: COUNT }, (_, index) => `x${index}`);
    for (const id of ids) await say('TrialAsked', id);
    await eventually(async () => {
      expect(await fresh.database.query(`select from effect where state = 'pending'`)).toHaveLength(COUNT);
    });
    await runner.stop();
    engine?.worker.wake();
    gate.open();
    for (const id of ids) expect(await ended(id)).toBe('completed');
    expect(new Set(done).size).toBe(COUNT);
    expect(await fresh.database.query(`select from effect where state = 'pending'`)).toHaveLength(COUNT);
  });

  /** Makes every step that was asked for as old as one of which people are told what it waits for. */
  const longAgo = () =>
    fresh.database.query(`update rm_effect_v2 set requested_at = requested_at - interval '1 minute'`);

  it('begins what is short at once however much that lasts for hours is under way or waits', async () => {
    const PLACES = 70;
    const looked = new Gate();
    let under = 0;
    let looking = 0;
    const hours = executor(
      'hours',
      async (context) => {
        under += 1;
        await untilAborted(context);
      },
      {
        ownPlaces: PLACES,
        observe: async (_args, { attempt }) => {
          if (attempt > 1) {
            looking += 1;
            await looked.opened;
          }
          return { state: 'absent' };
        },
      },
    );
    const quick = executor('quick', () => Promise.resolve());
    await run(
      trial((id) => [[{ effect: effect(id.startsWith('hours') ? 'hours' : 'quick') }]]),
      [hours, quick],
    );
    for (let index = 0; index < PLACES + 10; index += 1) await say('TrialAsked', `hours${index}`);
    await eventually(() => {
      expect(under).toBe(PLACES);
    });
    await say('TrialAsked', 'quick');
    expect(await ended('quick')).toBe('completed');
    expect(under).toBe(PLACES);
    await longAgo();
    const waiting = await fresh.database.query<{ id: string; waits: string }>(
      `select id, waits from (select saga_id as id, ${waitsFor('array[asked.stream]')} as waits from effect asked) every
        where waits is not null`,
    );
    expect(waiting).toHaveLength(10);
    for (const { waits } of waiting) expect(waits).toMatch(/^a free place/);
    const [one, tried] = waiting.map(({ id }) => id);
    await say('TrialStopped', one ?? '');
    expect(await ended(one ?? '')).toBe('cancelled');
    expect(under).toBe(PLACES);
    // What is only to be cancelled takes none of those places, also where that lasts because somebody had begun it.
    await fresh.database.query(
      `insert into effect_lease (effect_id, resource, owner, state, attempt, leased_until, run_after)
       select effect_id, resource, 'somebody', 'waiting', 1, now(), now() + interval '1 hour' from effect where saga_id = $1`,
      [tried],
    );
    await say('TrialStopped', tried ?? '');
    await eventually(() => {
      expect(looking).toBe(1);
    });
    await say('TrialStopped', 'hours0');
    await eventually(() => {
      expect(under).toBe(PLACES + 1);
    });
    looked.open();
    expect(await ended(tried ?? '')).toBe('cancelled');
  });

  it('cancels at once what waits for another step on the same thing, which goes on', async () => {
    const began: string[] = [];
    const hours = executor('hours', (context) => {
      began.push(context.effectId);
      return untilAborted(context);
    });
    await run(
      trial(() => [[{ effect: effect('hours', { resource: 'one and the same' }) }]]),
      [hours],
    );
    await say('TrialAsked', 'first');
    await eventually(() => {
      expect(began).toHaveLength(1);
    });
    await say('TrialAsked', 'second');
    await runner.caughtUp();
    await say('TrialStopped', 'second');
    expect(await ended('second')).toBe('cancelled');
    expect((await logOf('first')).map(({ type }) => type)).not.toContain('SagaEnded');
    expect(began).toHaveLength(1);
  });

  it('cancels at once what was about to be cancelled so when OMA ended', async () => {
    const hours = executor('hours', untilAborted);
    await run(
      trial(() => [[{ effect: effect('hours', { resource: 'one and the same' }) }]]),
      [hours],
    );
    await say('TrialAsked', 'first');
    await eventually(async () => {
      expect(await fresh.database.query('table effect_lease')).toHaveLength(1);
    });
    await say('TrialAsked', 'second');
    await runner.caughtUp();
    // Taken by an earlier start, which died before the log had the outcome.
    await eventually(async () => {
      const taken = await fresh.database.query(
        `insert into effect_lease (effect_id, resource, owner, state, attempt, leased_until)
         select effect_id, 'effect:' || effect_id, 'dead', 'running', 1, now() - interval '1 second'
           from effect where saga_id = 'second' returning effect_id`,
      );
      expect(taken).toHaveLength(1);
    });
    await say('TrialStopped', 'second');
    expect(await ended('second')).toBe('cancelled');
  });

  describe('leases', () => {
    const request = async (more: Partial<EffectRequest> = {}) => {
      const data = { ...effect('make', more), effectId: newId(), endsEffects: [] };
      await store.append('trial-x', 'any', [anEvent('EffectRequested', data)]);
      await runner.caughtUp();
      return data;
    };

    const insertions = () => database.asked.filter((sql) => sql.includes('insert into effect_lease'));

    it('are asked for the oldest effect on each resource alone, so that a long queue holds up nobody', async () => {
      const crowded = [];
      for (let index = 0; index < 5; index += 1) crowded.push(await request({ resource: 'crowded' }));
      const free = await request({ resource: 'free' });
      const taken = await all(new Leases(database, somebody('one'), 30).take(2));
      expect(taken.map(({ effectId }) => effectId)).toEqual([crowded[0]?.effectId, free.effectId]);
      expect(insertions()).toHaveLength(2);
    });

    it('are answered one by one, so that none waits to begin until the last is given', async () => {
      await request();
      await request();
      const leases = new Leases(database, somebody('one'), 30).take(64);
      expect((await leases.next()).done).toBe(false);
      expect(insertions()).toHaveLength(1);
      expect(await all(leases)).toHaveLength(1);
    });

    it('keep two effects on one resource apart, until the log has the outcome of the first', async () => {
      const [first, second] = [await request({ resource: 'one' }), await request({ resource: 'one' })];
      const here = new Leases(fresh.database, somebody('here'), 30);
      const there = new Leases(database, somebody('there'), 30);
      expect(await all(here.take(64))).toMatchObject([{ effectId: first.effectId }]);
      expect(await all(there.take(64))).toEqual([]);
      await here.settle(first.effectId);
      expect(await all(there.take(64))).toMatchObject([{ effectId: second.effectId }]);
    });

    it('tell what a step waits for', async () => {
      const waits = async () => {
        const [row] = await fresh.database.query<{ waits: string | null }>(
          `select ${waitsFor(`array['trial-x']`)} as waits`,
        );
        return row?.waits ?? null;
      };
      const { effectId } = await request({ resource: 'one', title: 'the first' });
      const here = new Leases(database, somebody('here'), 30);
      await all(here.take(64));
      await request({ resource: 'one' });
      expect(await waits()).toBeNull();
      await longAgo();
      expect(await waits()).toBe('another step on the same thing: the first');
      await here.postpone(effectId, 60_000);
      expect(await waits()).toMatch(/^its next attempt/);
      await fresh.database.query(
        `update effect_lease set state = 'running', leased_until = now() - interval '1 second'`,
      );
      expect(await waits()).toMatch(/gives no sign of life$/);
      await fresh.database.query(`update effect_lease set state = 'settled'`);
      expect(await waits()).toMatch(/^a free place/);
    });

    it('tell that a step nobody began waits for an instance that is silent', async () => {
      await request();
      await longAgo();
      const home = (aliveUntil: string) =>
        fresh.database.query(
          `insert into instance (instance_id, start_id, host, process, alive_until)
           values ('home', 'start of home', 'host', 'process', now() + $1::interval)
           on conflict (instance_id) do update set alive_until = excluded.alive_until`,
          [aliveUntil],
        );
      await fresh.database.query(`update rm_effect_v2 set home = 'home'`);
      const waits = async () => {
        const [row] = await fresh.database.query<{ waits: string }>(`select ${waitsFor(`array['trial-x']`)} as waits`);
        return row?.waits;
      };
      await home('1 minute');
      expect(await waits()).toMatch(/^a free place/);
      await home('-1 minute');
      expect(await waits()).toMatch(/gives no sign of life$/);
    });

    it('are not given for an effect that came to its end since the look', async () => {
      const { effectId } = await request();
      const gate = new Gate();
      database.slow = { at: 'insert into effect_lease', gate };
      const late = all(new Leases(database, somebody('late'), 30).take(64));
      await eventually(() => {
        expect(insertions()).toHaveLength(1);
      });
      const early = new Leases(fresh.database, somebody('early'), 30);
      expect(await all(early.take(64))).toHaveLength(1);
      const outcome = anEvent('EffectFailed', { effectId, step: 'make', attempt: 1, failure: {} });
      await store.append('trial-x', 'any', [outcome]);
      await early.settle(effectId);
      await runner.caughtUp();
      gate.open();
      expect(await late).toEqual([]);
      expect(await fresh.database.query('select effect_id from effect_lease')).toEqual([]);
    });

    it('that were taken for an effect that had ended hold its resource until they run out, and no longer', async () => {
      const { effectId } = await request({ resource: 'one' });
      const outcome = anEvent('EffectFailed', { effectId, step: 'make', attempt: 1, failure: {} });
      await store.append('trial-x', 'any', [outcome]);
      const next = await request({ resource: 'one' });
      // Who took it died before it asked whether the effect was still due.
      const left = (until: string) =>
        fresh.database.query(
          `insert into effect_lease (effect_id, resource, owner, state, attempt, leased_until)
           values ($1, 'one', 'dead', 'running', 1, now() + $2::interval)
           on conflict (effect_id) do update set leased_until = excluded.leased_until`,
          [effectId, until],
        );
      const leases = new Leases(database, somebody('here'), 30);
      await left('1 minute');
      await leases.clear();
      expect(await all(leases.take(64))).toEqual([]);
      await left('-1 second');
      await leases.clear();
      expect(await all(leases.take(64))).toMatchObject([{ effectId: next.effectId }]);
    });

    it('are cleared while an engine runs', async () => {
      const { effectId } = await request();
      const outcome = anEvent('EffectFailed', { effectId, step: 'make', attempt: 1, failure: {} });
      await store.append('trial-x', 'any', [outcome]);
      await runner.caughtUp();
      await fresh.database.query(
        `insert into effect_lease (effect_id, resource, owner, state, attempt, leased_until)
         values ($1, 'one', 'dead', 'running', 1, now())`,
        [effectId],
      );
      await run(
        trial(() => []),
        [],
      );
      await eventually(async () => {
        expect(await fresh.database.query('table effect_lease')).toEqual([]);
      });
    });

    it('are not given to who slept until they had run out and were cleared', async () => {
      const { effectId } = await request();
      const gate = new Gate();
      database.slow = { at: 'with ended as', gate };
      const late = all(new Leases(database, somebody('late'), 0).take(64));
      await eventually(() => {
        expect(insertions()).toHaveLength(1);
      });
      const outcome = anEvent('EffectFailed', { effectId, step: 'make', attempt: 1, failure: {} });
      await store.append('trial-x', 'any', [outcome]);
      await runner.caughtUp();
      await new Leases(fresh.database, somebody('early'), 30).clear();
      gate.open();
      expect(await late).toEqual([]);
    });

    it('are never taken over once the log has the outcome, however late the table is', async () => {
      const { effectId } = await request();
      const early = new Leases(fresh.database, somebody('early'), 0);
      await all(early.take(64));
      await early.settle(effectId);
      const late = new Leases(database, { instanceId: 'early', startId: 'late' }, 30);
      await late.succeed();
      expect(await all(late.take(64))).toEqual([]);
    });
  });
});
