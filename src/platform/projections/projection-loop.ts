import type { Position, StoredEvent } from '#domain/kernel/event';
import { pause } from '#platform/clock/pause';
import type { Database } from '#platform/database/database';
import { isTransient } from '#platform/database/transient';
import type { Batch, EventStore } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

import type { AnyProjection } from './tables.js';
import { writeBatch } from './writer.js';

const BATCH = 2000;
const RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
/** A stopped projection may be set going again through another instance; only its row tells. */
const STOPPED_LOOK_MS = 500;

/** The checkpoint isn't where this batch begins: somebody else was here. */
class Moved extends Error {}

/** An event that the projection's own code can't handle. */
class Poison extends Error {
  constructor(
    readonly event: StoredEvent,
    override readonly cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : 'the handler threw something that is no error');
  }
}

/** Follows the log for one projection. Rows and checkpoint move in one transaction, guarded by the checkpoint's row lock. */
export class ProjectionLoop {
  private controller = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly store: EventStore,
    readonly projection: AnyProjection,
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
      try {
        const checkpoint = await this.checkpoint();
        if (checkpoint.status === 'stopped') {
          await pause(STOPPED_LOOK_MS, signal);
          continue;
        }
        await this.follow(checkpoint.position, signal, () => {
          delayMs = RETRY_MS;
        });
      } catch (error) {
        if (error instanceof Poison) {
          if (await this.halt(error)) continue;
        } else if (!(error instanceof Moved)) {
          this.logger.warn({ error, projection: this.projection.name }, 'a projection could not go on; it tries again');
        }
        await pause(error instanceof Moved ? 0 : delayMs, signal);
        delayMs = Math.min(MAX_RETRY_MS, delayMs * 2);
      }
    }
  }

  private async checkpoint(): Promise<{ position: Position; status: string }> {
    const [row] = await this.database.query<{ position: string; status: string }>(
      'select position, status from projection where name = $1 and version = $2',
      [this.projection.name, this.projection.version],
    );
    if (row === undefined) throw new Error(`projection ${this.projection.name} isn't registered`);
    return row;
  }

  private async follow(from: Position, signal: AbortSignal, onDone: () => void): Promise<void> {
    let position = from;
    this.onAdvance(position, 0);
    const { handles } = this.projection;
    const types = handles === 'all' ? {} : { types: handles };
    for await (const batch of this.store.subscribe({ after: position, signal, maxBatch: BATCH, ...types })) {
      await this.apply(batch.events, position, batch.upTo);
      position = batch.upTo;
      this.onAdvance(position, batch.events.length);
      onDone();
    }
  }

  /** Applies a batch whole; when an event of it is poison, what comes before it is applied and the poison thrown. */
  private async apply(events: readonly StoredEvent[], from: Position, upTo: Batch['upTo']): Promise<void> {
    try {
      await this.transact(events, from, upTo);
    } catch (error) {
      if (error instanceof Moved || isTransient(error)) throw error;
      const [only] = events;
      if (events.length <= 1) {
        if (only === undefined) throw error;
        throw new Poison(only, error);
      }
      const half = events.slice(0, Math.ceil(events.length / 2));
      const border = half.at(-1)?.position ?? from;
      await this.apply(half, from, border);
      await this.apply(events.slice(half.length), border, upTo);
    }
  }

  private async transact(events: readonly StoredEvent[], from: Position, upTo: Position): Promise<void> {
    if (events.length === 0 && upTo === from) return;
    const { name, version } = this.projection;
    await this.database.transaction(async (sql) => {
      const { rows } = await sql.query<{ position: string }>(
        `select position from projection where name = $1 and version = $2 and status = 'running' for update`,
        [name, version],
      );
      if (rows[0]?.position !== from) throw new Moved();
      if (events.length > 0) await writeBatch(sql, this.projection, events);
      await sql.query(
        `update projection set position = $3, last_recorded_at = coalesce($4, last_recorded_at), updated_at = now()
          where name = $1 and version = $2`,
        [name, version, upTo, events.at(-1)?.recordedAt ?? null],
      );
    });
  }

  /** Stops this projection, loudly; the others go on. */
  private async halt(poison: Poison): Promise<boolean> {
    const { name, version } = this.projection;
    this.logger.error(
      { error: poison.cause, projection: name, eventId: poison.event.id, position: poison.event.position },
      'a projection stopped at an event that it could not handle',
    );
    try {
      await this.database.query(
        `update projection set status = 'stopped', error = $3, stopped_event_id = $4, updated_at = now()
          where name = $1 and version = $2`,
        [name, version, poison.message, poison.event.id],
      );
      return true;
    } catch (error) {
      this.logger.warn({ error, projection: name }, 'the stop of a projection could not be recorded yet');
      return false;
    }
  }
}
