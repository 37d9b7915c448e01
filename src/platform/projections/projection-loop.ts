import type { Position, StoredEvent } from '#domain/kernel/event';
import { pause } from '#platform/clock/pause';
import type { Database } from '#platform/database/database';
import type { EventStore } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

import { advance } from './live-rows.js';
import { selectionOf } from './pages.js';
import { Checkpoint, type Passes } from './passes.js';
import { type ApplyBatch, applyOrFindPoison, Moved, Poison } from './poison.js';
import { type Registered, registered } from './registry.js';
import type { AnyProjection } from './tables.js';
import { changesAnything } from './writer.js';

const BATCH = 2000;
const RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
/** A projection may be set going again, or swapped in, through another instance; only its row tells. */
const STANDING_LOOK_MS = 500;

/** An event that can't be handled, and where the checkpoint stands before it. */
class Stop extends Error {
  constructor(
    readonly poison: Poison,
    readonly at: Position,
  ) {
    super(poison.message);
  }
}

/**
 * Follows the log for the live rows of one projection. Rows and checkpoint move in one transaction, guarded by the
 * checkpoint's row lock; which generation is live is asked whenever that fails. Where no row changes the checkpoint follows later.
 */
export class ProjectionLoop {
  private controller = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly store: EventStore,
    readonly projection: AnyProjection,
    private readonly passes: Passes,
    private readonly logger: Logger,
    private readonly onAdvance: (position: Position, events: number) => void,
  ) {}

  start(): void {
    this.controller = new AbortController();
    this.running = this.run(this.controller.signal);
  }

  async stop(): Promise<void> {
    this.controller.abort();
    await this.running;
  }

  private async run(signal: AbortSignal): Promise<void> {
    let delayMs = RETRY_MS;
    while (!signal.aborted) {
      let live: Registered | undefined;
      try {
        live = await this.live();
        if (live?.status !== 'running') {
          await pause(STANDING_LOOK_MS, signal);
          continue;
        }
        await this.follow(live, signal, () => {
          delayMs = RETRY_MS;
        });
      } catch (error) {
        if (error instanceof Stop && live !== undefined) {
          if (await this.halt(live, error)) continue;
        } else if (!(error instanceof Moved)) {
          this.logger.warn({ error, projection: this.projection.name }, 'a projection could not go on; it tries again');
        }
        await pause(error instanceof Moved ? 0 : delayMs, signal);
        delayMs = Math.min(MAX_RETRY_MS, delayMs * 2);
      }
    }
  }

  /** None while the rows of this version are being built, or when a newer version's have taken their place. */
  private async live(): Promise<Registered | undefined> {
    const { name, version } = this.projection;
    const [live] = await registered(this.database.pool, 'name = $1 and version = $2 and live', [name, version]);
    return live;
  }

  private async follow(live: Registered, signal: AbortSignal, onDone: () => void): Promise<void> {
    let { position } = live;
    this.onAdvance(position, 0);
    const checkpoint = new Checkpoint(live, position, this.passes);
    const selection = selectionOf(this.projection);
    const range = {
      after: position,
      signal: AbortSignal.any([signal, checkpoint.lost]),
      maxBatch: BATCH,
      ...selection,
    };
    try {
      for await (const batch of this.store.subscribe(range)) {
        const apply: ApplyBatch = (events, _from, upTo) => this.take(checkpoint, events, upTo);
        await applyOrFindPoison(apply, batch.events, position, batch.upTo);
        position = batch.upTo;
        this.onAdvance(position, batch.events.length);
        onDone();
        const { restMs } = this.projection;
        if (restMs !== undefined && batch.live && batch.events.length > 0) await pause(restMs, range.signal);
      }
      checkpoint.assure();
    } catch (error) {
      // Whoever has its event skipped looks for it behind what the registry says.
      throw error instanceof Poison ? new Stop(error, await checkpoint.settle()) : error;
    } finally {
      // At an orderly stop it is written down with those of the others.
      if (!signal.aborted) checkpoint.forget();
    }
  }

  private async take(checkpoint: Checkpoint, events: readonly StoredEvent[], upTo: Position): Promise<void> {
    if (!changesAnything(this.projection, events)) {
      checkpoint.passTo(upTo);
      return;
    }
    const from = await checkpoint.stored();
    await advance(this.database, this.projection, checkpoint.live, { events, from, upTo });
    checkpoint.movedTo(upTo);
  }

  /** Stops this projection, loudly; the others go on. Nothing when another instance could handle the event meanwhile. */
  private async halt({ name, version, generation }: Registered, { poison, at }: Stop): Promise<boolean> {
    const { id: eventId, position } = poison.event;
    const what = { error: poison.cause, projection: name, eventId, position };
    try {
      const stopped = await this.database.query(
        `update projection set status = 'stopped', error = $4, stopped_event_id = $5, updated_at = now()
          where name = $1 and version = $2 and generation = $3 and status = 'running' and position = $6 returning name`,
        [name, version, generation, poison.message, poison.event.id, at],
      );
      if (stopped.length > 0) this.logger.error(what, 'a projection stopped at an event that it could not handle');
      return true;
    } catch (error) {
      // It may have been recorded all the same: then nobody comes here again.
      this.logger.warn(
        { ...what, recording: error },
        'a projection can not handle an event, and that it stops could not be recorded yet',
      );
      return false;
    }
  }
}
