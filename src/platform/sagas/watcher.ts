import type { JsonObject } from '#domain/kernel/event';
import { Ticker } from '#platform/clock/ticker';
import type { Database } from '#platform/database/database';
import { idFor } from '#platform/ids/ids';
import type { Logger } from '#platform/logging/logger.port';

import type { EffectExecutor } from './effect.port.js';
import type { SagaRuntime } from './runtime.js';

interface WatchedRow {
  effect_id: string;
  stream: string;
  step: string;
  kind: string;
  args: JsonObject;
  result: JsonObject;
  requested_event_id: string;
}

/** Looks after what was started and must go on living; tells the saga when something of it ended by itself. */
export class Watcher {
  private readonly executors: ReadonlyMap<string, EffectExecutor>;
  private readonly ticker: Ticker;

  constructor(
    private readonly database: Database,
    private readonly runtime: SagaRuntime,
    executors: readonly EffectExecutor[],
    private readonly logger: Logger,
    pollMs: number,
  ) {
    this.executors = new Map(executors.map((executor) => [executor.kind, executor]));
    this.ticker = new Ticker(
      pollMs,
      () => this.look(),
      (error) => {
        logger.warn({ error }, 'what was started could not be looked after; it is tried again');
      },
    );
  }

  start(): void {
    this.ticker.start();
  }

  async stop(): Promise<void> {
    await this.ticker.stop();
  }

  private async look(): Promise<void> {
    const watched = await this.database.query<WatchedRow>(
      `select effect_id, stream, step, kind, args, result, requested_event_id from effect
        where watched and state = 'succeeded'`,
    );
    for (const row of watched) {
      await this.lookAt(row).catch((error: unknown) => {
        const { stream, step } = row;
        this.logger.warn({ error, stream, step }, 'what was started could not be looked at; it is tried again');
      });
    }
  }

  private async lookAt(row: WatchedRow): Promise<void> {
    const detail = (await this.executors.get(row.kind)?.ended?.(row.args, row.result)) ?? null;
    if (detail === null) return;
    await this.runtime.deliver(row.stream, {
      input: { type: 'WatchEnded', data: { effectId: row.effect_id, step: row.step, detail } },
      eventId: idFor(row.effect_id, 'ended'),
      causationId: row.requested_event_id,
    });
  }
}
