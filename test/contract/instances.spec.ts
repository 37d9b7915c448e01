import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { StoredEvent } from '#domain/kernel/event';
import { Database } from '#platform/database/database';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { PostgresIdempotencyKeys } from '#platform/http/postgres.idempotency-keys';
import { newId } from '#platform/ids/ids';
import type { InstanceIdentity } from '#platform/instances/instance-id';
import { InstanceIsRunning, Instances } from '#platform/instances/instances';
import { ProjectionRunner } from '#platform/projections/projection-runner';
import type { AnyProjection } from '#platform/projections/tables';
import { NbdPorts } from '#platform/qemu/nbd-ports';
import type { EffectContext, EffectExecutor } from '#platform/sagas/effect.port';
import { effectsProjection } from '#platform/sagas/effects.projection';
import type { AnySaga } from '#platform/sagas/runtime';
import { type EngineTimes, SagaEngine } from '#platform/sagas/saga-engine';
import { timersProjection } from '#platform/sagas/timers.projection';

import { freshDatabase } from '../kit/database.js';
import { anEvent } from '../kit/event-stores.js';
import { eventually } from '../kit/eventually.js';
import { silentLog } from '../kit/silent-log.js';
import { effect, trial } from '../kit/trial-saga.js';

const ALIVE = { aliveSeconds: 30, beatMs: 20, goneSeconds: 300 };
const TIMES: EngineTimes = {
  leaseSeconds: 30,
  heartbeatMs: 20,
  stopWithinMs: 5000,
  effectPollMs: 10,
  timerPollMs: 20,
  watchPollMs: 20,
};

const start = (instanceId: string): InstanceIdentity => ({ instanceId, startId: newId() });
const BERLIN = start('berlin');
const PARIS = start('paris');

/** A database that doesn't answer one kind of statement any more. */
class MuteDatabase extends Database {
  muteAt: string | null = null;
  /** Statements that got no answer. */
  refused = 0;

  override async query<Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    if (this.muteAt !== null && sql.includes(this.muteAt)) {
      this.refused += 1;
      throw new Error('the database does not answer');
    }
    return super.query<Row>(sql, values);
  }
}

describe('several instances on one database', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: InMemoryEventStore;
  let runner: ProjectionRunner;
  let ends: (() => Promise<void>)[];
  /** Which instance did what, in order. */
  let journal: string[];

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new InMemoryEventStore();
    ends = [];
    journal = [];
    const projections = [effectsProjection, timersProjection] as unknown as AnyProjection[];
    runner = new ProjectionRunner(fresh.database, store, projections, silentLog);
    await runner.start();
  });

  afterEach(async () => {
    await Promise.all(ends.map((end) => end()));
    await runner.stop();
    await fresh.drop();
  });

  /** An instance that says that it lives, as another process would. */
  const living = async (identity: InstanceIdentity, times: Partial<typeof ALIVE> = {}) => {
    const instances = new Instances(fresh.database, identity, silentLog, { ...ALIVE, ...times });
    await instances.register();
    ends.push(() => instances.stop());
    return instances;
  };
  /** An instance of another machine that was last heard of so long ago. */
  const silentFor = (identity: InstanceIdentity, seconds: number) =>
    fresh.database.query(
      `insert into instance (instance_id, start_id, host, process, alive_until)
         values ($1, $2, 'far away', 'other-boot/pid:[1]/1/1', now() - make_interval(secs => $3))`,
      [identity.instanceId, identity.startId, seconds],
    );
  const rows = () => fresh.database.query<{ instance_id: string }>('select * from instance order by instance_id');

  const engineOf = async (
    identity: InstanceIdentity,
    saga: AnySaga,
    executors: readonly EffectExecutor[],
    { database = fresh.database, ...times }: Partial<EngineTimes> & { database?: Database } = {},
  ) => {
    const engine = new SagaEngine({
      identity,
      database,
      store,
      sagas: [saga],
      executors,
      logger: silentLog,
      times: { ...TIMES, ...times },
      caughtUp: () => runner.caughtUp(),
    });
    ends.unshift(() => engine.stop());
    await engine.start();
    return engine;
  };
  const doing = (
    identity: InstanceIdentity,
    kind: string,
    more: Partial<EffectExecutor> & { readonly work?: (context: EffectContext) => Promise<unknown> } = {},
  ): EffectExecutor => {
    const { work, ...rest } = more;
    return {
      kind,
      observe: () => Promise.resolve({ state: 'absent' }),
      execute: async (_args, context) => {
        journal.push(`${identity.instanceId} ${kind}`);
        await work?.(context);
        return {};
      },
      ...rest,
    };
  };
  const ask = (instance: string, id = 'x') => {
    const event = anEvent('TrialAsked', { id });
    return store.append(`ask-${id}`, 'any', [{ ...event, metadata: { ...event.metadata, instance } }]);
  };
  const logOf = async (id = 'x') => {
    const events: StoredEvent[] = [];
    for await (const event of store.readStream(`trial-${id}`)) events.push(event);
    return events;
  };
  const ended = (id = 'x') =>
    eventually(async () => {
      const last = (await logOf(id)).at(-1);
      if (last?.type !== 'SagaEnded') throw new Error(`the saga is at ${last?.type ?? 'nothing'}`);
      return (last.data as { outcome: string }).outcome;
    });
  const failures = async () =>
    (await logOf())
      .filter(({ type }) => type === 'EffectFailed')
      .map(({ data }) => (data as { failure: { code: string } }).failure.code);

  describe('who lives', () => {
    it('is said again and again, and given up by the others after a long silence', async () => {
      await silentFor(PARIS, 301);
      await living(BERLIN, { aliveSeconds: 1 });
      await eventually(async () => {
        expect(await rows()).toMatchObject([{ instance_id: 'berlin' }]);
      });
    });

    it('is not given up during a short silence', async () => {
      await silentFor(PARIS, 200);
      const berlin = await living(BERLIN);
      await eventually(async () => {
        expect(await berlin.isAlive(BERLIN.startId)).toBe(true);
      });
      expect(await rows()).toHaveLength(2);
      expect(await berlin.isAlive(PARIS.startId)).toBe(false);
    });

    describe('is not judged', () => {
      /** Connections to the same database, whose clock can be set forward. */
      const opened: MuteDatabase[] = [];
      const setForward = (seconds: number) => fresh.database.query('update clock set ahead = $1', [seconds]);
      const beating = async (identity: InstanceIdentity, beatMs: number) => {
        const database = new MuteDatabase(fresh.url);
        opened.push(database);
        const instances = new Instances(database, identity, silentLog, { ...ALIVE, beatMs });
        await instances.register();
        ends.push(() => instances.stop());
        return { database, isAlive: () => instances.isAlive(identity.startId) };
      };
      const bothGoOn = (...both: readonly { readonly isAlive: () => Promise<boolean> }[]) =>
        eventually(async () => {
          expect(await Promise.all(both.map(({ isAlive }) => isAlive()))).toEqual([true, true]);
        });

      beforeEach(async () => {
        const name = new URL(fresh.url).pathname.slice(1);
        await fresh.database.query(
          `create table clock (ahead float8 not null);
           insert into clock values (0);
           create function public.now() returns timestamptz language sql stable as
             $$ select pg_catalog.now() + make_interval(secs => ahead) from clock $$;
           alter database ${name} set search_path = public, pg_catalog`,
        );
      });

      afterEach(async () => {
        for (const database of opened) database.muteAt = null;
        await Promise.all(ends.splice(0).map((end) => end()));
        await Promise.all(opened.splice(0).map((database) => database.close()));
      });

      it('by one that was cut off from the database as long', async () => {
        const [berlin, paris] = [await beating(BERLIN, 20), await beating(PARIS, 20)];
        for (const { database } of [berlin, paris]) database.muteAt = 'update instance';
        await eventually(() => {
          expect(Math.min(berlin.database.refused, paris.database.refused)).toBeGreaterThan(0);
        });
        await setForward(400);
        expect([await berlin.isAlive(), await paris.isAlive()]).toEqual([false, false]);
        berlin.database.muteAt = null;
        await eventually(async () => {
          expect(await berlin.isAlive()).toBe(true);
        });
        paris.database.muteAt = null;
        await bothGoOn(berlin, paris);
      });

      it("by the database's clock, which was set forward", async () => {
        const [berlin, paris] = [await beating(BERLIN, 20), await beating(PARIS, 500)];
        await bothGoOn(berlin, paris);
        await setForward(400);
        await eventually(async () => {
          expect(await berlin.isAlive()).toBe(true);
        });
        await bothGoOn(berlin, paris);
      });
    });

    it('hears of it when the others gave it up', async () => {
      const berlin = await living(BERLIN);
      await fresh.database.query(`delete from instance`);
      await berlin.givenUp;
    });

    it('may start again at once when its process can be seen to be gone, or after it stopped', async () => {
      const first = await living(BERLIN);
      await first.stop();
      const again = start('berlin');
      const second = await living(again);
      expect(await second.isAlive(again.startId)).toBe(true);
      expect(await second.isAlive(BERLIN.startId)).toBe(false);
    });

    it('lets nobody else use its id, whatever the host is called', async () => {
      await silentFor(BERLIN, -30);
      const beats = setInterval(() => {
        void fresh.database.query(`update instance set alive_until = now() + interval '1 second'`);
      }, 50);
      const copy = new Instances(fresh.database, start('berlin'), silentLog, { ...ALIVE, aliveSeconds: 0.3 });
      await expect(copy.register()).rejects.toThrow(InstanceIsRunning);
      clearInterval(beats);
    });

    it('takes the place of an earlier start in another container once that one is silent', async () => {
      await silentFor(BERLIN, -0.4);
      const again = start('berlin');
      const berlin = await living(again, { aliveSeconds: 1 });
      expect(await berlin.isAlive(again.startId)).toBe(true);
    });
  });

  describe('a step', () => {
    const here = (identity: InstanceIdentity) => doing(identity, 'here');
    const saga = trial(() => [[{ effect: effect('here') }]]);

    it('is done by the instance that took the request, whoever saw it first', async () => {
      await living(BERLIN);
      await living(PARIS);
      await engineOf(BERLIN, saga, [here(BERLIN)]);
      await engineOf(PARIS, saga, [here(PARIS)], { effectPollMs: 50 });
      for (const id of ['a', 'b', 'c', 'd']) await ask('paris', id);
      for (const id of ['a', 'b', 'c', 'd']) expect(await ended(id)).toBe('completed');
      expect(journal).toEqual(Array(4).fill('paris here'));
    });

    it('waits for an instance that is silent for a short time, unless it concerns no machine', async () => {
      await silentFor(PARIS, 1);
      await living(BERLIN);
      const anywhere = doing(BERLIN, 'anywhere', { reach: 'anywhere' });
      await engineOf(
        BERLIN,
        trial(() => [[{ effect: effect('anywhere') }], [{ effect: effect('here') }]]),
        [anywhere, here(BERLIN)],
      );
      await ask('paris');
      await eventually(async () => {
        expect((await logOf()).filter(({ type }) => type === 'EffectRequested')).toHaveLength(2);
      });
      await engineOf(PARIS, saga, [here(PARIS)]);
      expect(await ended()).toBe('completed');
      expect(journal).toEqual(['berlin anywhere', 'paris here']);
    });

    it('goes on elsewhere when its instance was given up', async () => {
      await living(BERLIN);
      await engineOf(BERLIN, saga, [here(BERLIN)]);
      await ask('paris');
      expect(await ended()).toBe('completed');
      expect(journal).toEqual(['berlin here']);
    });

    it('on the machine of an instance that was given up fails with that reason, and what can be undone is undone', async () => {
      await living(BERLIN);
      const undo = effect('here-undo', { step: 'here-undo' });
      const steps = trial(() => [[{ effect: effect('here'), undo }], [{ effect: effect('there') }]]);
      await engineOf(BERLIN, steps, [
        here(BERLIN),
        doing(BERLIN, 'here-undo'),
        doing(BERLIN, 'there', { reach: 'machine' }),
      ]);
      await ask('paris');
      expect(await ended()).toBe('failed');
      expect(await failures()).toEqual(['instance-gone']);
      expect(journal).toEqual(['berlin here', 'berlin here-undo']);
    });

    it('that nobody knows fails instead of being tried for ever', async () => {
      await living(BERLIN);
      await engineOf(
        BERLIN,
        trial(() => [[{ effect: effect('unheard-of') }]]),
        [],
      );
      await ask('berlin');
      expect(await ended()).toBe('failed');
      expect(await failures()).toEqual(['unknown-step']);
    });

    it('under way is taken up at once by the next start of its own instance, and by no other before', async () => {
      await living(BERLIN);
      const forever = doing(PARIS, 'here', { work: () => new Promise(() => undefined) });
      const parisPart = await living(PARIS);
      await engineOf(PARIS, saga, [forever], { stopWithinMs: 10, heartbeatMs: 60_000 });
      await engineOf(BERLIN, saga, [here(BERLIN)]);
      await ask('paris');
      await eventually(() => {
        expect(journal).toEqual(['paris here']);
      });
      await parisPart.stop();
      const again = start('paris');
      await living(again);
      await engineOf(again, saga, [doing(again, 'here')]);
      expect(await ended()).toBe('completed');
      expect(journal).toEqual(['paris here', 'paris here']);
    });
  });

  describe('what was started', () => {
    const watched = trial(() => [[{ effect: effect('held', { watched: true }) }], [{ effect: effect('waiting') }]]);
    const waiting = (identity: InstanceIdentity) =>
      doing(identity, 'waiting', {
        work: ({ signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reject(new Error('told to stop'));
            });
          }),
      });
    const held = (identity: InstanceIdentity, ends: () => string | null) =>
      doing(identity, 'held', { reach: 'machine', ended: () => Promise.resolve(ends()) });

    it('is looked after by its own instance alone', async () => {
      await living(BERLIN);
      await living(PARIS);
      let looks = 0;
      await engineOf(PARIS, watched, [held(PARIS, () => ((looks += 1), null)), waiting(PARIS)]);
      await engineOf(BERLIN, watched, [held(BERLIN, () => 'not on this machine'), waiting(BERLIN)]);
      await ask('paris');
      await eventually(() => {
        expect(looks).toBeGreaterThan(5);
      });
      expect((await logOf()).some(({ type }) => type === 'WatchEnded')).toBe(false);
    });

    it('counts as ended when its instance was given up, so that the saga ends truthfully', async () => {
      await living(BERLIN);
      await silentFor(PARIS, 200);
      await engineOf(PARIS, watched, [held(PARIS, () => null), waiting(PARIS)]);
      await engineOf(BERLIN, watched, [held(BERLIN, () => null), waiting(BERLIN)]);
      await ask('paris');
      await eventually(() => {
        expect(journal).toEqual(['paris held', 'paris waiting']);
      });
      await fresh.database.query(`delete from instance where instance_id = 'paris'`);
      expect(await ended()).toBe('failed');
      expect((await logOf()).filter(({ type }) => type === 'WatchEnded')).toHaveLength(1);
    });
  });

  describe('a worker', () => {
    it('interrupts a step before its lease runs out when it can not renew it', async () => {
      const database = new MuteDatabase(fresh.url);
      const leaseSeconds = 1.5;
      let begunAt = 0;
      const interrupted = new Promise<number>((resolve) => {
        const work = ({ signal }: EffectContext) =>
          new Promise<void>((_resolve, reject) => {
            begunAt ||= performance.now();
            database.muteAt = 'update effect_lease set leased_until';
            signal.addEventListener('abort', () => {
              resolve(performance.now() - begunAt);
              reject(new Error('told to stop'));
            });
          });
        void living(BERLIN).then(() =>
          engineOf(
            BERLIN,
            trial(() => [[{ effect: effect('long') }]]),
            [doing(BERLIN, 'long', { work })],
            {
              database,
              leaseSeconds,
            },
          ),
        );
      });
      await ask('berlin');
      expect(await interrupted).toBeLessThan(leaseSeconds * 1000);
      database.muteAt = null;
      await Promise.all(ends.splice(0, 1).map((end) => end()));
      await database.close();
    });

    it('stops although a step does not heed its interruption, and nobody may begin that step meanwhile', async () => {
      await living(BERLIN);
      const deaf = doing(BERLIN, 'deaf', { work: () => new Promise(() => undefined) });
      const saga = trial(() => [[{ effect: effect('deaf') }]]);
      const engine = await engineOf(BERLIN, saga, [deaf], { stopWithinMs: 50 });
      await ask('berlin');
      await eventually(() => {
        expect(journal).toHaveLength(1);
      });
      await engine.stop();
      const [lease] = await fresh.database.query<{ held: boolean }>(
        `select leased_until > now() as held from effect_lease`,
      );
      expect(lease).toEqual({ held: true });
    });
  });

  it('free a key for idempotency whose instance died before it answered, and no other', async () => {
    await silentFor(PARIS, -30);
    const berlin = await living(BERLIN);
    const keysOf = (instances: Instances) => new PostgresIdempotencyKeys(fresh.database, Buffer.alloc(32), instances);
    const paris = keysOf(new Instances(fresh.database, PARIS, silentLog, ALIVE));
    expect(await paris.claim('user', 'key', 'request')).toMatchObject({ is: 'mine' });
    expect(await keysOf(berlin).claim('user', 'key', 'request')).toEqual({ is: 'under-way' });
    await fresh.database.query(`update instance set alive_until = now() where instance_id = 'paris'`);
    expect(await keysOf(berlin).claim('user', 'key', 'request')).toMatchObject({ is: 'mine' });
  });

  it('give each port once among all of them, and that of an instance that was given up again', async () => {
    await living(BERLIN);
    await silentFor(PARIS, 1);
    const range = { first: 5, last: 6 };
    const [berlin, paris] = [BERLIN, PARIS].map((who) => new NbdPorts(fresh.database, range, who.instanceId));
    const claimed = await Promise.all([berlin?.claim('one', new Set()), paris?.claim('two', new Set())]);
    expect(claimed.map((one) => one?.port).toSorted()).toEqual([5, 6]);
    expect(await berlin?.holders()).toEqual(['one']);
    await fresh.database.query(`delete from instance where instance_id = 'paris'`);
    expect(await berlin?.claim('three', new Set())).toMatchObject({ port: claimed[1]?.port });
  });
});
