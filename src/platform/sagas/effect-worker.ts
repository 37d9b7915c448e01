import { setTimeout as pause } from 'node:timers/promises';

import { Ticker } from '#platform/clock/ticker';
import { isDatabaseAway } from '#platform/database/database-away';
import { InvalidAppend } from '#platform/event-store/event-store.port';
import { idFor } from '#platform/ids/ids';
import type { Logger } from '#platform/logging/logger.port';

import { type AbortReason, attempt, type AttemptResult } from './attempt.js';
import type { EffectExecutor } from './effect.port.js';
import type { LeasedEffect, Leases } from './leases.js';
import { type Ended, NOT_STORABLE, outcomeOf } from './outcome.js';
import type { SagaRuntime } from './runtime.js';

export interface WorkerTimes {
  /** How often the table is looked at when nothing wakes the worker. */
  readonly pollMs: number;
  readonly heartbeatMs: number;
  readonly stopWithinMs: number;
}

/** An effect under way here. */
interface Running {
  readonly effect: LeasedEffect;
  readonly controller: AbortController;
  readonly done: Promise<void>;
  /** When its lease runs out by this process's own clock: counted from before the database was asked. */
  leasedUntil: number;
}

/** How one attempt at an effect went, for those who count. */
export interface Attempted {
  readonly kind: string;
  readonly outcome: AttemptResult['is'];
  readonly seconds: number;
}

/** Short effects under way at once; most of the time they wait for a program or an agent. */
const SHARED_PLACES = 64;
const DELIVERY_RETRY_MS = 500;
/** The last part of a lease is left to the executor, for ending before anybody else may begin. */
const FENCE_SHARE = 1 / 3;
const FENCE_LOOKS_PER_LEASE = 10;

/**
 * Does what the log asks for. Each due effect is leased, observed, executed where needed, and its outcome is appended
 * through the saga runtime. Killing this worker at any moment loses nothing: its leases run out or are ended at the next
 * start, and whoever takes over observes first.
 */
export class EffectWorker {
  private readonly executors: ReadonlyMap<string, EffectExecutor>;
  private readonly running = new Map<string, Running>();
  private readonly listeners = new Set<(attempted: Attempted) => void>();
  private readonly taking: Ticker;
  private readonly beating: Ticker;
  private readonly fencing: Ticker;
  private stopping = false;

  constructor(
    private readonly leases: Leases,
    private readonly runtime: SagaRuntime,
    executors: readonly EffectExecutor[],
    private readonly logger: Logger,
    private readonly times: WorkerTimes,
  ) {
    this.executors = new Map(executors.map((executor) => [executor.kind, executor]));
    const onError = (error: unknown) => {
      logger.warn({ error }, 'the effect worker could not reach the database; it tries again');
    };
    this.taking = new Ticker(times.pollMs, () => this.takeDue(), onError);
    this.beating = new Ticker(times.heartbeatMs, () => this.heartbeat(), onError);
    this.fencing = new Ticker(this.leaseMs / FENCE_LOOKS_PER_LEASE, () => this.fence(), onError);
  }

  start(): void {
    this.stopping = false;
    this.taking.start();
    this.beating.start();
    this.fencing.start();
  }

  /** Tells that the table may have changed. */
  wake(): void {
    this.taking.wake();
  }

  /** What it can do. */
  get kinds(): readonly string[] {
    return [...this.executors.keys()];
  }

  /** Calls `listener` after each attempt at an effect. */
  onAttempt(listener: (attempted: Attempted) => void): void {
    this.listeners.add(listener);
  }

  /**
   * Interrupts what runs, waits for it and gives the leases back; the effects go on at the next start. What doesn't heed
   * its interruption is left behind, with its lease.
   */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.taking.stop();
    for (const { controller } of this.running.values()) controller.abort('shutting-down' satisfies AbortReason);
    const ended = Promise.allSettled([...this.running.values()].map(({ done }) => done));
    await Promise.race([ended, pause(this.times.stopWithinMs, undefined, { ref: false })]);
    for (const { effect } of this.running.values()) {
      this.logger.error({ step: effect.step, stream: effect.stream }, 'a step did not end when it was told to');
    }
    await Promise.all([this.beating.stop(), this.fencing.stop()]);
    await this.release();
  }

  private async release(): Promise<void> {
    try {
      await this.leases.release([...this.running.keys()]);
    } catch (error) {
      if (!isDatabaseAway(error)) throw error;
      this.logger.warn({ error }, 'the database is away: leases were not given back and run out');
    }
  }

  private async takeDue(): Promise<void> {
    await this.passOnCancels();
    const { shared, own } = this.room();
    if (shared <= 0 && [...own.values()].every((places) => places <= 0)) return;
    for await (const effect of this.leases.take(shared, [...this.running.keys()], own)) this.begin(effect);
  }

  /** What lasts for hours has places of its own, so that what is short always finds one soon. */
  private room(): { readonly shared: number; readonly own: ReadonlyMap<string, number> } {
    const own = new Map<string, number>();
    for (const { kind, ownPlaces } of this.executors.values()) if (ownPlaces !== undefined) own.set(kind, ownPlaces);
    let shared = SHARED_PLACES;
    for (const { effect } of this.running.values()) {
      const places = effect.state === 'pending' ? own.get(effect.kind) : undefined;
      if (places === undefined) shared -= 1;
      else own.set(effect.kind, places - 1);
    }
    return { shared, own };
  }

  private async passOnCancels(): Promise<void> {
    if (this.running.size === 0) return;
    for (const effectId of await this.leases.cancelled([...this.running.keys()])) {
      this.running.get(effectId)?.controller.abort('cancelled' satisfies AbortReason);
    }
  }

  private async heartbeat(): Promise<void> {
    await this.leases.clear();
    const mine = [...this.running.keys()];
    if (mine.length === 0) return;
    const asked = performance.now();
    const kept = await this.leases.renew(mine);
    for (const effectId of mine) {
      const running = this.running.get(effectId);
      if (running === undefined) continue;
      if (kept.has(effectId)) running.leasedUntil = asked + this.leaseMs;
      else running.controller.abort('lease-lost' satisfies AbortReason);
    }
  }

  /** Whoever can't renew a lease stops in time: another instance may take it as soon as it has run out. */
  private fence(): Promise<void> {
    const latest = performance.now() + this.leaseMs * FENCE_SHARE;
    for (const { controller, leasedUntil, effect } of this.running.values()) {
      if (leasedUntil > latest || controller.signal.aborted) continue;
      this.logger.warn({ step: effect.step, stream: effect.stream }, 'a step is interrupted: its lease runs out');
      controller.abort('lease-lost' satisfies AbortReason);
    }
    return Promise.resolve();
  }

  private get leaseMs(): number {
    return this.leases.leaseSeconds * 1000;
  }

  private begin(effect: LeasedEffect): void {
    const controller = new AbortController();
    const done = this.doEffect(effect, controller)
      .catch((error: unknown) => {
        this.logger.error(
          { error, step: effect.step, stream: effect.stream },
          'the outcome of an effect was not stored',
        );
      })
      .finally(() => {
        this.running.delete(effect.effectId);
        this.taking.wake();
      });
    this.running.set(effect.effectId, { effect, controller, done, leasedUntil: effect.leasedUntil });
  }

  private async doEffect(effect: LeasedEffect, controller: AbortController): Promise<void> {
    const begin = performance.now();
    const result = await attempt(this.executors.get(effect.kind), effect, controller);
    this.tell(effect, result, (performance.now() - begin) / 1000);
    if (result.is === 'interrupted') return;
    if (result.is === 'again') {
      await this.leases.postpone(effect.effectId, result.delayMs);
      return;
    }
    await this.deliver(effect, result);
    await this.leases.settle(effect.effectId);
  }

  private tell(effect: LeasedEffect, result: AttemptResult, seconds: number): void {
    for (const listener of this.listeners) listener({ kind: effect.kind, outcome: result.is, seconds });
    const fields = { step: effect.step, stream: effect.stream, kind: effect.kind, attempt: effect.attempt };
    const correlated = { ...fields, correlationId: effect.correlationId };
    if (result.is === 'failed') this.logger.warn({ ...correlated, error: result.cause }, 'a step failed');
    else if (result.is === 'again') this.logger.info({ ...correlated, error: result.cause }, 'a step is tried again');
    else this.logger.debug(correlated, `a step ${result.is}`);
  }

  /** The log must learn the outcome; nothing else may happen to this effect before. */
  private async deliver(effect: LeasedEffect, result: Ended): Promise<void> {
    const ref = { effectId: effect.effectId, step: effect.step };
    const eventId = idFor(effect.effectId, 'outcome', String(effect.attempt));
    for (;;) {
      try {
        await this.runtime.deliver(effect.stream, {
          input: outcomeOf(ref, effect.attempt, result),
          eventId,
          causationId: effect.requestedEventId,
        });
        return;
      } catch (error) {
        if (this.stopping) throw error;
        const { step, correlationId } = effect;
        if (error instanceof InvalidAppend && result !== NOT_STORABLE) {
          this.logger.error({ error, step, correlationId }, 'the log takes no such outcome; the step counts as failed');
          return this.deliver(effect, NOT_STORABLE);
        }
        this.logger.warn({ error, step, correlationId }, 'the log did not take an outcome; it is offered again');
        await pause(DELIVERY_RETRY_MS);
      }
    }
  }
}
