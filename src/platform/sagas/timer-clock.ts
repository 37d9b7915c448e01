import { Ticker } from '#platform/clock/ticker';
import type { Database } from '#platform/database/database';
import { idFor } from '#platform/ids/ids';
import type { Logger } from '#platform/logging/logger.port';

import type { SagaRuntime } from './runtime.js';

interface DueTimer {
  timer_id: string;
  stream: string;
  step: string;
  set_event_id: string;
}

/** Fires the timers that are due. A timer is a row of the log's own facts, so it outlives any process. */
export class TimerClock {
  private readonly ticker: Ticker;

  constructor(
    private readonly database: Database,
    private readonly runtime: SagaRuntime,
    private readonly logger: Logger,
    pollMs: number,
  ) {
    this.ticker = new Ticker(
      pollMs,
      () => this.fireDue(),
      (error) => {
        logger.warn({ error }, 'timers could not be fired; they are tried again');
      },
    );
  }

  start(): void {
    this.ticker.start();
  }

  async stop(): Promise<void> {
    await this.ticker.stop();
  }

  private async fireDue(): Promise<void> {
    const due = await this.database.query<DueTimer>(
      `select timer_id, stream, step, set_event_id from timer where due_at <= now() order by due_at limit 100`,
    );
    for (const timer of due) {
      await this.fire(timer).catch((error: unknown) => {
        this.logger.warn({ error, stream: timer.stream }, 'a timer could not be fired; it is tried again');
      });
    }
  }

  private fire(timer: DueTimer): Promise<void> {
    return this.runtime.deliver(timer.stream, {
      input: { type: 'TimerFired', data: { timerId: timer.timer_id, step: timer.step } },
      eventId: idFor(timer.timer_id, 'fired'),
      causationId: timer.set_event_id,
    });
  }
}
