import type { Database } from '#platform/database/database';
import type { EventStore } from '#platform/event-store/event-store.port';
import type { InstanceIdentity } from '#platform/instances/instance-id';
import type { Logger } from '#platform/logging/logger.port';

import type { EffectExecutor } from './effect.port.js';
import { EffectWorker } from './effect-worker.js';
import { Leases } from './leases.js';
import { type AnySaga, SagaRuntime } from './runtime.js';
import { SagaFeed } from './saga-feed.js';
import { TimerClock } from './timer-clock.js';
import { Watcher } from './watcher.js';

export interface EngineTimes {
  /** How long a lease lasts without a sign of life. */
  readonly leaseSeconds: number;
  readonly heartbeatMs: number;
  /** What is under way has so long to end when the engine stops. */
  readonly stopWithinMs: number;
  readonly effectPollMs: number;
  readonly timerPollMs: number;
  readonly watchPollMs: number;
}

const ENGINE_TIMES: EngineTimes = {
  leaseSeconds: 30,
  heartbeatMs: 5000,
  stopWithinMs: 20_000,
  effectPollMs: 250,
  timerPollMs: 500,
  watchPollMs: 1000,
};

export interface EngineParts {
  readonly identity: InstanceIdentity;
  readonly database: Database;
  readonly store: EventStore;
  readonly sagas: readonly AnySaga[];
  readonly executors: readonly EffectExecutor[];
  readonly logger: Logger;
  readonly times?: EngineTimes;
  /** Resolves when the effect and timer tables have caught up with the log. */
  caughtUp(): Promise<void>;
}

/** Everything that makes sagas run: the feed of events, the worker, the timers, the watch. */
export class SagaEngine {
  readonly worker: EffectWorker;
  private readonly leases: Leases;
  private readonly feed: SagaFeed;
  private readonly timers: TimerClock;
  private readonly watcher: Watcher;
  private isStarted = false;

  constructor(private readonly parts: EngineParts) {
    const { identity, database, store, sagas, executors, logger } = parts;
    const times = parts.times ?? ENGINE_TIMES;
    const runtime = new SagaRuntime(store, sagas);
    const anywhere = executors.filter(({ reach }) => reach === 'anywhere').map(({ kind }) => kind);
    this.leases = new Leases(database, identity, times.leaseSeconds, anywhere);
    this.worker = new EffectWorker(this.leases, runtime, executors, logger, {
      pollMs: times.effectPollMs,
      heartbeatMs: times.heartbeatMs,
      stopWithinMs: times.stopWithinMs,
    });
    this.feed = new SagaFeed(database, store, runtime, logger);
    this.timers = new TimerClock(database, runtime, logger, times.timerPollMs);
    this.watcher = new Watcher(database, identity.instanceId, runtime, executors, logger, times.watchPollMs);
  }

  /**
   * Recovers, then runs: the tables catch up with the log, leases of this instance's earlier starts end, and what
   * was under way is due again at once; every executor looks before it acts.
   */
  async start(): Promise<void> {
    await this.parts.caughtUp();
    const expired = await this.leases.succeed();
    if (expired > 0) this.parts.logger.info({ expired }, 'steps that were under way when OMA ended are taken up again');
    this.feed.start();
    this.worker.start();
    this.timers.start();
    this.watcher.start();
    this.isStarted = true;
  }

  /** Whether sagas go on: the engine is started, and the newest event that was offered to them was taken. */
  get isRunning(): boolean {
    return this.isStarted && !this.feed.isHeldUp;
  }

  async stop(): Promise<void> {
    this.isStarted = false;
    await Promise.all([this.watcher.stop(), this.timers.stop(), this.feed.stop()]);
    await this.worker.stop();
  }
}
