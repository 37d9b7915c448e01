import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { JsonObject, NewEvent, StoredEvent } from '#domain/kernel/event';
import type { EffectRequest } from '#domain/kernel/saga';
import { sequence, type Step } from '#domain/kernel/sequence';
import { Database } from '#platform/database/database';
import { EventStore, type Expected } from '#platform/event-store/event-store.port';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { newId } from '#platform/ids/ids';
import { ProjectionRunner } from '#platform/projections/projection-runner';
import type { AnyProjection } from '#platform/projections/tables';
import { EffectError, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';
import { effectsProjection } from '#platform/sagas/effects.projection';
import type { AnySaga } from '#platform/sagas/runtime';
import { SagaEngine } from '#platform/sagas/saga-engine';
import { timersProjection } from '#platform/sagas/timers.projection';

import { freshDatabase } from '../kit/database.js';
import { eventually } from '../kit/eventually.js';
import { silentLog as silentLogger } from '../kit/silent-log.js';

const TIMES = {
  leaseSeconds: 0.4,
  heartbeatMs: 100,
  stopWithinMs: 5000,
  effectPollMs: 10,
  timerPollMs: 20,
  watchPollMs: 20,
};

type Moment = 'before' | 'during' | 'after';

/** Things that effects make and unmake. Making what is there already would be a side effect done twice. */
class World {
  readonly things = new Set<string>();
  readonly halfMade = new Set<string>();
  readonly journal: string[] = [];

  make(name: string): void {
    if (this.things.has(name)) throw new Error(`${name} was made twice`);
    this.halfMade.delete(name);
    this.things.add(name);
    this.journal.push(`make ${name}`);
  }

  unmake(name: string): void {
    this.halfMade.delete(name);
    this.things.delete(name);
    this.journal.push(`unmake ${name}`);
  }
}

/** A process that can be killed: from then on nothing it does reaches the log, the tables or the world. */
class Mortal {
  dead = false;
  private readonly deaths: (() => void)[] = [];
  private readonly graves: ((error: Error) => void)[] = [];
  private buried = false;

  onDeath(then: () => void): void {
    this.deaths.push(then);
  }

  /** Never comes back: whoever awaits it has stopped existing. */
  die(): Promise<never> {
    this.dead = true;
    for (const then of this.deaths) then();
    return new Promise((_, reject) => {
      if (this.buried) reject(new Error('dead'));
      else this.graves.push(reject);
    });
  }

  /** After the test: what waits for the dead stops waiting, so that nothing keeps the test's process alive. */
  bury(): void {
    this.buried = true;
    for (const reject of this.graves) reject(new Error('dead'));
  }
}

/** The log as a mortal process sees it; may kill it around its Nth append. */
class MortalStore extends EventStore {
  appends = 0;

  constructor(
    private readonly inner: EventStore,
    private readonly life: Mortal,
    private readonly kill: { at: number; moment: Moment } | null,
  ) {
    super();
  }

  async append(stream: string, expected: Expected, events: readonly NewEvent[]) {
    if (this.life.dead) return this.life.die();
    this.appends += 1;
    const doomed = this.kill?.at === this.appends ? this.kill.moment : null;
    if (doomed === 'before') return this.life.die();
    const appended = await this.inner.append(stream, expected, events);
    return doomed === 'after' ? this.life.die() : appended;
  }

  readStream(...args: Parameters<EventStore['readStream']>) {
    return this.inner.readStream(...args);
  }
  readAll(...args: Parameters<EventStore['readAll']>) {
    return this.inner.readAll(...args);
  }
  subscribe(...args: Parameters<EventStore['subscribe']>) {
    return this.inner.subscribe(...args);
  }
  head() {
    return this.inner.head();
  }
  reaches(...args: Parameters<EventStore['reaches']>) {
    return this.inner.reaches(...args);
  }
}

type ThingArgs = JsonObject & { readonly thing: string };

class Make implements EffectExecutor<ThingArgs> {
  readonly kind = 'make';
  constructor(
    private readonly world: World,
    private readonly life: Mortal,
    private readonly kill: { thing: string; moment: Moment } | null,
    private readonly broken: ReadonlySet<string>,
  ) {}

  observe(args: ThingArgs): Promise<Observation> {
    if (this.life.dead) return this.life.die();
    return Promise.resolve(this.world.things.has(args.thing) ? { state: 'done', result: {} } : { state: 'absent' });
  }

  async execute(args: ThingArgs): Promise<JsonObject> {
    const doomed = this.kill?.thing === args.thing ? this.kill.moment : null;
    if (doomed === 'before') return this.life.die();
    if (this.broken.has(args.thing)) {
      this.world.halfMade.add(args.thing);
      throw new EffectError('permanent', { code: 'broken', message: `${args.thing} can't be made` });
    }
    this.world.halfMade.add(args.thing);
    if (doomed === 'during') return this.life.die();
    this.world.make(args.thing);
    return doomed === 'after' ? this.life.die() : Promise.resolve({});
  }

  ended(args: ThingArgs): Promise<string | null> {
    return Promise.resolve(this.world.things.has(args.thing) ? null : `${args.thing} is gone`);
  }
}

class Unmake implements EffectExecutor<ThingArgs> {
  readonly kind = 'unmake';
  constructor(
    private readonly world: World,
    private readonly life: Mortal,
  ) {}

  observe(args: ThingArgs): Promise<Observation> {
    if (this.life.dead) return this.life.die();
    const { things, halfMade } = this.world;
    const there = things.has(args.thing) || halfMade.has(args.thing);
    return Promise.resolve(there ? { state: 'absent' } : { state: 'done', result: {} });
  }

  execute(args: ThingArgs): Promise<JsonObject> {
    if (this.life.dead) return this.life.die();
    this.world.unmake(args.thing);
    return Promise.resolve({});
  }
}

const effect = (kind: string, thing: string, more: Partial<EffectRequest> = {}): EffectRequest => ({
  step: `${kind}:${thing}`,
  title: `${kind} ${thing}`,
  kind,
  args: { thing },
  resource: thing,
  timeoutSeconds: 10,
  retry: { attempts: 3, baseMs: 5, maxMs: 10 },
  ...more,
});
const making = (thing: string, more: Partial<EffectRequest> = {}): Step => ({
  effect: effect('make', thing, more),
  undo: effect('unmake', thing, { ends: [`make:${thing}`] }),
});

/** Three steps, the made-up saga of this suite. */
function threeSteps(steps: readonly (readonly Step[])[] = [[making('one')], [making('two')], [making('three')]]) {
  return sequence<object>({
    name: 'trial',
    version: 1,
    listensTo: ['TrialAsked', 'TrialStopped'],
    correlate: (event) => ({ id: event.stream.slice('ask-'.length), starts: event.type === 'TrialAsked' }),
    start: () => ({}),
    stop: (type) => (type === 'TrialStopped' ? { code: 'stopped', message: 'stopped' } : null),
    groups: () => steps,
    conclude: () => [],
  }) as AnySaga;
}

describe('the saga machinery', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: InMemoryEventStore;
  let world: World;
  let runner: ProjectionRunner;
  let stops: (() => Promise<void>)[];

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new InMemoryEventStore();
    world = new World();
    stops = [];
    const projections = [effectsProjection, timersProjection] as unknown as AnyProjection[];
    runner = new ProjectionRunner(fresh.database, store, projections, silentLogger);
    await runner.start();
  });

  afterEach(async () => {
    await Promise.all(stops.map((stop) => stop()));
    await runner.stop();
    await fresh.drop();
  });

  interface Life {
    readonly kill?: { append?: { at: number; moment: Moment }; make?: { thing: string; moment: Moment } };
    readonly broken?: readonly string[];
    readonly saga?: AnySaga;
    readonly more?: readonly EffectExecutor[];
  }

  /** One process: an engine with its own connections, that may be killed at a chosen moment. */
  async function process(
    options: Life = {},
  ): Promise<{ life: Mortal; appends: () => number; stop: () => Promise<void> }> {
    const life = new Mortal();
    const database = new Database(fresh.url);
    const mortal = new MortalStore(store, life, options.kill?.append ?? null);
    const engine = new SagaEngine({
      identity: { instanceId: newId(), startId: newId() },
      database,
      store: mortal,
      sagas: [options.saga ?? threeSteps()],
      executors: [
        new Make(world, life, options.kill?.make ?? null, new Set(options.broken ?? [])),
        new Unmake(world, life),
        ...(options.more ?? []),
      ],
      logger: silentLogger,
      times: TIMES,
      caughtUp: () => runner.caughtUp(),
    });
    // A killed process holds no connection any more, so nothing of it can renew a lease.
    life.onDeath(() => void database.close().catch(() => undefined));
    await engine.start();
    // Who is dead, or dies while it is being stopped, is waited for by nobody: what it waits for may never come.
    const end = async () => {
      const stopped = engine.stop();
      life.bury();
      const death = new Promise<void>((resolve) => {
        if (life.dead) resolve();
        else life.onDeath(resolve);
      });
      await Promise.race([stopped, death]);
      if (life.dead) {
        stopped.catch(() => undefined);
        engine.worker.stop().catch(() => undefined);
        return;
      }
      await database.close();
    };
    let ended: Promise<void> | undefined;
    const stop = () => (ended ??= end());
    stops.push(stop);
    return { life, appends: () => mortal.appends, stop };
  }

  async function say(type: string): Promise<void> {
    const metadata = {
      actor: { kind: 'user', id: 'somebody' },
      correlationId: newId(),
      causationId: newId(),
      schemaVersion: 1,
    } as const;
    await store.append('ask-x', 'any', [{ id: newId(), type, data: {}, metadata }]);
  }

  async function sagaLog(): Promise<readonly StoredEvent[]> {
    const events: StoredEvent[] = [];
    for await (const event of store.readStream('trial-x')) events.push(event);
    return events;
  }

  async function ended(): Promise<string> {
    return eventually(async () => {
      const last = (await sagaLog()).at(-1);
      if (last?.type !== 'SagaEnded') throw new Error(`the saga is at ${last?.type ?? 'nothing'}`);
      return (last.data as { outcome: string }).outcome;
    }, 15);
  }

  /** Every fact once: no effect asked for twice, none with two outcomes, nothing after the end. */
  async function expectEachFactOnce(): Promise<void> {
    const events = await sagaLog();
    const facts = (types: string[]) =>
      events.filter((event) => types.includes(event.type)).map((event) => (event.data as { step: string }).step);
    const requested = facts(['EffectRequested']);
    const settled = facts(['EffectSucceeded', 'EffectFailed', 'EffectCancelled']);
    expect(new Set(requested).size).toBe(requested.length);
    expect([...settled].sort()).toEqual([...requested].sort());
    expect(events.filter((event) => event.type === 'SagaEnded')).toHaveLength(1);
    expect(events.at(-1)?.type).toBe('SagaEnded');
  }

  async function expectNoLeaseLeft(): Promise<void> {
    await eventually(async () => {
      expect(await fresh.database.query('select effect_id from effect_lease')).toEqual([]);
    });
  }

  it('does three steps in order, each once, and leaves no lease', async () => {
    await process();
    await say('TrialAsked');
    expect(await ended()).toBe('completed');
    expect(world.journal).toEqual(['make one', 'make two', 'make three']);
    await expectEachFactOnce();
    await expectNoLeaseLeft();
  });

  it('undoes backwards what was begun when a step fails', async () => {
    await process({ broken: ['three'] });
    await say('TrialAsked');
    expect(await ended()).toBe('failed');
    expect(world.journal).toEqual(['make one', 'make two', 'unmake three', 'unmake two', 'unmake one']);
    expect([...world.things, ...world.halfMade]).toEqual([]);
    await expectEachFactOnce();
  });

  describe.each([
    { story: 'that succeeds', broken: [], outcome: 'completed', left: ['one', 'two', 'three'] },
    { story: 'that fails at its third step', broken: ['three'], outcome: 'failed', left: [] },
  ])('killed in a saga $story', ({ broken, outcome, left }) => {
    const moments: Moment[] = ['before', 'during', 'after'];
    const things = ['one', 'two', 'three'].filter((thing) => !broken.includes(thing as never));

    it.each(things.flatMap((thing) => moments.map((moment) => ({ thing, moment }))))(
      '$moment making $thing, a new process ends it truthfully and does nothing twice',
      async (make) => {
        const first = await process({ broken, kill: { make } });
        await say('TrialAsked');
        await eventually(() => {
          expect(first.life.dead).toBe(true);
        });
        await process({ broken });
        expect(await ended()).toBe(outcome);
        expect([...world.things]).toEqual(left);
        expect([...world.halfMade]).toEqual([]);
        await expectEachFactOnce();
        await expectNoLeaseLeft();
      },
    );

    it('around every append to the log, a new process ends it truthfully and does nothing twice', async () => {
      const whole = await process({ broken });
      await say('TrialAsked');
      expect(await ended()).toBe(outcome);
      await whole.stop();
      const appends = whole.appends();
      expect(appends).toBeGreaterThanOrEqual(4);
      for (let at = 1; at <= appends; at += 1) {
        for (const moment of ['before', 'after'] as const) await killedAroundAppend(at, moment);
      }
    }, 120_000);

    async function killedAroundAppend(at: number, moment: Moment): Promise<void> {
      await runner.stop();
      await fresh.drop();
      fresh = await freshDatabase();
      store = new InMemoryEventStore();
      world = new World();
      const projections = [effectsProjection, timersProjection] as unknown as AnyProjection[];
      runner = new ProjectionRunner(fresh.database, store, projections, silentLogger);
      await runner.start();
      const first = await process({ broken, kill: { append: { at, moment } } });
      await say('TrialAsked');
      await eventually(() => {
        expect(first.life.dead).toBe(true);
      });
      const second = await process({ broken });
      expect(await ended()).toBe(outcome);
      expect([...world.things]).toEqual(left);
      await expectEachFactOnce();
      await expectNoLeaseLeft();
      await second.stop();
    }
  });

  it('lets two processes share the work: each effect is done once', async () => {
    const wide = threeSteps([Array.from({ length: 20 }, (_, index) => making(`thing${index}`))]);
    await Promise.all([process({ saga: wide }), process({ saga: wide })]);
    await say('TrialAsked');
    expect(await ended()).toBe('completed');
    expect(world.things.size).toBe(20);
    await expectEachFactOnce();
  });

  it('never lets two effects on one resource overlap', async () => {
    let inside = 0;
    let most = 0;
    const slow: EffectExecutor = {
      kind: 'slow',
      observe: () => Promise.resolve({ state: 'absent' }),
      execute: async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setTimeout(resolve, 15));
        inside -= 1;
        return {};
      },
    };
    const steps = Array.from({ length: 6 }, (_, index) => ({
      effect: effect('slow', `s${index}`, { resource: 'one disk' }),
    }));
    const saga = threeSteps([steps]);
    await Promise.all([process({ saga, more: [slow] }), process({ saga, more: [slow] })]);
    await say('TrialAsked');
    expect(await ended()).toBe('completed');
    expect(most).toBe(1);
  });

  it('tries again what failed for the moment, and looks before every attempt', async () => {
    const calls: string[] = [];
    const flaky: EffectExecutor = {
      kind: 'flaky',
      observe: () => {
        calls.push('observe');
        return Promise.resolve({ state: 'absent' });
      },
      execute: () => {
        calls.push('execute');
        if (calls.length < 4) throw new EffectError('transient', { code: 'busy', message: 'busy' });
        return Promise.resolve({});
      },
    };
    await process({ saga: threeSteps([[{ effect: effect('flaky', 'x') }]]), more: [flaky] });
    await say('TrialAsked');
    expect(await ended()).toBe('completed');
    expect(calls).toEqual(['observe', 'execute', 'observe', 'execute']);
  });

  it('takes for done what turns out to be done after an unknown outcome', async () => {
    let done = false;
    let executed = 0;
    const unsure: EffectExecutor = {
      kind: 'unsure',
      observe: () => Promise.resolve(done ? { state: 'done', result: { seen: true } } : { state: 'absent' }),
      execute: () => {
        executed += 1;
        done = true;
        throw new EffectError('unknown', { code: 'lost', message: 'the answer was lost' });
      },
    };
    await process({ saga: threeSteps([[{ effect: effect('unsure', 'x') }]]), more: [unsure] });
    await say('TrialAsked');
    expect(await ended()).toBe('completed');
    expect(executed).toBe(1);
  });

  /** Waits until it is told to stop. */
  const waiting: EffectExecutor = {
    kind: 'waiting',
    observe: () => Promise.resolve({ state: 'absent' }),
    execute: (_args, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('told to stop'));
        });
      }),
  };

  it('ends an attempt that takes too long, and fails when no attempt is left', async () => {
    const once = { timeoutSeconds: 0.05, retry: { attempts: 2, baseMs: 1, maxMs: 1 } };
    const saga = threeSteps([[making('one')], [{ effect: effect('waiting', 'x', once) }]]);
    await process({ saga, more: [waiting] });
    await say('TrialAsked');
    expect(await ended()).toBe('failed');
    expect([...world.things]).toEqual([]);
    const failed = (await sagaLog()).find((event) => event.type === 'EffectFailed');
    expect(failed?.data).toMatchObject({ failure: { code: 'timed-out' } });
  });

  it('cancels within seconds whatever is under way, and undoes it', async () => {
    const saga = threeSteps([[making('one')], [{ effect: effect('waiting', 'x', { timeoutSeconds: 1000 }) }]]);
    await process({ saga, more: [waiting] });
    await say('TrialAsked');
    await eventually(async () => {
      expect((await sagaLog()).filter((event) => event.type === 'EffectRequested')).toHaveLength(2);
    });
    await say('TrialStopped');
    expect(await ended()).toBe('cancelled');
    expect([...world.things]).toEqual([]);
    await expectEachFactOnce();
  });

  it('reacts when something that it started ends by itself, once', async () => {
    const saga = threeSteps([
      [making('one', { watched: true })],
      [{ effect: effect('waiting', 'x', { timeoutSeconds: 1000 }) }],
    ]);
    await process({ saga, more: [waiting] });
    await say('TrialAsked');
    await eventually(async () => {
      expect((await sagaLog()).filter((event) => event.type === 'EffectRequested')).toHaveLength(2);
    });
    world.things.delete('one');
    expect(await ended()).toBe('failed');
    expect((await sagaLog()).filter((event) => event.type === 'WatchEnded')).toHaveLength(1);
  });

  it('does not take an end on purpose for an accident', async () => {
    const saga = threeSteps([
      [making('one', { watched: true })],
      [{ effect: effect('unmake', 'one', { ends: ['make:one'] }) }],
      [making('two')],
    ]);
    await process({ saga });
    await say('TrialAsked');
    expect(await ended()).toBe('completed');
    expect((await sagaLog()).some((event) => event.type === 'WatchEnded')).toBe(false);
  });

  it('goes on after an orderly stop as if nothing had been', async () => {
    const saga = threeSteps([[making('one')], [{ effect: effect('waiting', 'x', { timeoutSeconds: 1000 }) }]]);
    const first = await process({ saga, more: [waiting] });
    await say('TrialAsked');
    await eventually(async () => {
      expect((await sagaLog()).filter((event) => event.type === 'EffectRequested')).toHaveLength(2);
    });
    await first.stop();
    const patient: EffectExecutor = { ...waiting, execute: () => Promise.resolve({}) };
    await process({ saga, more: [patient] });
    expect(await ended()).toBe('completed');
    expect(world.journal).toEqual(['make one']);
  });

  it('fires timers that were set by a process that is gone', async () => {
    const staying = sequence<object>({
      name: 'trial',
      version: 1,
      listensTo: ['TrialAsked'],
      correlate: () => ({ id: 'x', starts: true }),
      start: () => ({}),
      stop: () => null,
      groups: () => [[making('one')]],
      stay: {
        checkSeconds: () => 0.3,
        check: () => effect('idle', 'x'),
        closes: (_start, result) => (result['idle'] === true ? { code: 'idle', message: 'idle' } : null),
      },
      conclude: () => [],
    }) as AnySaga;
    const idle: EffectExecutor = {
      kind: 'idle',
      observe: () => Promise.resolve({ state: 'absent' }),
      execute: () => Promise.resolve({ idle: true }),
    };
    const first = await process({ saga: staying, more: [idle] });
    await say('TrialAsked');
    await eventually(async () => {
      expect((await sagaLog()).some((event) => event.type === 'TimerSet')).toBe(true);
    });
    await first.stop();
    await process({ saga: staying, more: [idle] });
    expect(await ended()).toBe('closed');
    expect((await sagaLog()).filter((event) => event.type === 'TimerFired')).toHaveLength(1);
    await expectEachFactOnce();
  });

  it('builds the same tables again from the log and does nothing', async () => {
    await process();
    await say('TrialAsked');
    await ended();
    await runner.caughtUp();
    const before = await fresh.database.query('select * from effect order by effect_id');
    await runner.stop();
    await fresh.database.query(`truncate rm_effect_v2`);
    await fresh.database.query(`update projection set position = ''`);
    const projections = [effectsProjection, timersProjection] as unknown as AnyProjection[];
    runner = new ProjectionRunner(fresh.database, store, projections, silentLogger);
    await runner.start();
    await runner.caughtUp();
    expect(await fresh.database.query('select * from effect order by effect_id')).toEqual(before);
    expect(world.journal).toEqual(['make one', 'make two', 'make three']);
  });
});
