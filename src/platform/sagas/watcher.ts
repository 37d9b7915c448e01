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
  home_is_gone: boolean;
}

const INSTANCE_GONE = 'the OMA instance that held it gave no sign of life and was given up';

/**
 * Looks after what was started here and must go on living; tells the saga when something of it ended by itself, or with the
 * instance where it lived.
 */
export class Watcher {
  private readonly executors: ReadonlyMap<string, EffectExecutor>;
  private readonly ticker: Ticker;

  constructor(
    private readonly database: Database,
    private readonly instanceId: string,
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
      `select e.effect_id, e.stream, e.step, e.kind, e.args, e.result, e.requested_event_id,
              e.home is not null and e.home <> $1 and h.instance_id is null as home_is_gone
         from effect e left join instance h on h.instance_id = e.home
        where e.watched and e.state = 'succeeded' and (e.home is null or e.home = $1 or h.instance_id is null)`,
      [this.instanceId],
    );
    for (const row of watched) {
      await this.lookAt(row).catch((error: unknown) => {
        const { stream, step } = row;
        this.logger.warn({ error, stream, step }, 'what was started could not be looked at; it is tried again');
      });
    }
  }

  private async lookAt(row: WatchedRow): Promise<void> {
    const executor = this.executors.get(row.kind);
    const detail =
      row.home_is_gone && executor?.reach === 'machine'
        ? INSTANCE_GONE
        : ((await executor?.ended?.(row.args, row.result)) ?? null);
    if (detail === null) return;
    await this.runtime.deliver(row.stream, {
      input: { type: 'WatchEnded', data: { effectId: row.effect_id, step: row.step, detail } },
      eventId: idFor(row.effect_id, 'ended'),
      causationId: row.requested_event_id,
    });
  }
}
