import type { NewEvent, Position, StoredEvent } from '#domain/kernel/event';
import {
  type Appended,
  type Batch,
  EventIdReused,
  type Expected,
  InvalidAppend,
  type LogIdentity,
  OpenEventStore,
  type Selection,
  WrongExpectedRevision,
} from '#platform/event-store/event-store.port';

import type { Count, Metrics, Spread } from './metrics.port.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

/** A log whose appends are measured; in everything else it is the log behind it. */
export class MeasuredEventStore extends OpenEventStore {
  private readonly appends: Count;
  private readonly events: Count;
  private readonly seconds: Spread;

  constructor(
    private readonly store: OpenEventStore,
    metrics: Metrics,
  ) {
    super();
    this.appends = metrics.count({
      name: 'oma_store_appends_total',
      help: 'Appends to the log by this process: stored, duplicate, conflict (somebody was faster), refused, failed',
      labels: ['outcome'],
    });
    this.events = metrics.count({ name: 'oma_store_events_appended_total', help: 'Events that this process stored' });
    this.seconds = metrics.spread(
      { name: 'oma_store_append_duration_seconds', help: 'How long appends took, whatever became of them' },
      SECONDS,
    );
    metrics.watch(
      'store',
      {
        head: {
          name: 'oma_store_head_position',
          help: 'The number in the position of the newest event; its growth is the load, its size depends on the store',
        },
      },
      async () => ({ head: [{ value: numberIn(await store.head()) }] }),
    );
    metrics.watch(
      'store-answers',
      { up: { name: 'oma_store_up', help: 'Whether the log answers: 1 or 0' } },
      async () => ({ up: [{ value: (await store.answers()) ? 1 : 0 }] }),
    );
  }

  async append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended> {
    const begin = performance.now();
    try {
      const appended = await this.store.append(stream, expected, events);
      this.appends.add({ outcome: appended.duplicate ? 'duplicate' : 'stored' });
      if (!appended.duplicate) this.events.add({}, events.length);
      return appended;
    } catch (error) {
      this.appends.add({ outcome: outcomeOf(error) });
      throw error;
    } finally {
      this.seconds.observe((performance.now() - begin) / 1000);
    }
  }

  readStream(
    stream: string,
    options?: { readonly from?: bigint; readonly direction?: 'forward' | 'backward'; readonly limit?: number },
  ): AsyncIterable<StoredEvent> {
    return this.store.readStream(stream, options);
  }

  readAll(
    options?: {
      readonly after?: Position;
      readonly before?: Position;
      readonly direction?: 'forward' | 'backward';
      readonly limit?: number;
    } & Selection,
  ): AsyncIterable<StoredEvent> {
    return this.store.readAll(options);
  }

  subscribe(
    options: { readonly after: Position; readonly signal: AbortSignal; readonly maxBatch?: number } & Selection,
  ): AsyncIterable<Batch> {
    return this.store.subscribe(options);
  }

  head(): Promise<Position> {
    return this.store.head();
  }

  reaches(position: Position): Promise<boolean> {
    return this.store.reaches(position);
  }

  start(): Promise<void> {
    return this.store.start();
  }

  close(): Promise<void> {
    return this.store.close();
  }

  answers(): Promise<boolean> {
    return this.store.answers();
  }

  get replaced(): Promise<void> {
    return this.store.replaced;
  }

  identity(): Promise<LogIdentity> {
    return this.store.identity();
  }

  named(): Promise<LogIdentity> {
    return this.store.named();
  }
}

function outcomeOf(error: unknown): string {
  if (error instanceof WrongExpectedRevision) return 'conflict';
  return error instanceof InvalidAppend || error instanceof EventIdReused ? 'refused' : 'failed';
}

/** Positions are opaque, but each begins with digits that only grow. */
function numberIn(position: Position): number {
  return Number(/^\d*/.exec(position)?.[0] ?? 0);
}
