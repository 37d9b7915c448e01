import type { NewEvent, Position, StoredEvent } from '#domain/kernel/event';
import { pause } from '#platform/clock/pause';
import { unlessAborted } from '#platform/clock/unless-aborted';
import type { Database } from '#platform/database/database';
import { PostgresHeartbeat } from '#platform/database/postgres.heartbeat';
import type { Logger } from '#platform/logging/logger.port';

import { serialise } from '../append-rules.js';
import {
  type Appended,
  type Batch,
  type Expected,
  InvalidPosition,
  type LogIdentity,
  OpenEventStore,
  type Selection,
} from '../event-store.port.js';
import { Lane } from './lane.js';
import { type Page, Reader } from './reader.js';
import { WakeUp } from './wake-up.js';

const DEFAULT_BATCH = 500;
const RETRY_MS = 250;
const MAX_RETRY_MS = 5000;

/** The log in PostgreSQL: the lane (docs/adr/0002). */
export class PostgresEventStore extends OpenEventStore {
  readonly replaced = new Promise<void>(() => undefined);
  private readonly lane: Lane;
  private readonly reader: Reader;
  private readonly wakeUp: WakeUp;
  private readonly closing = new AbortController();

  constructor(
    private readonly database: Database,
    private readonly logger: Logger,
  ) {
    super();
    this.lane = new Lane(database);
    this.reader = new Reader(database);
    this.wakeUp = new WakeUp(database, logger, () => this.lane.processId);
  }

  /** Opens the wake-up connection. Throws when the database would not show each statement the newest head. */
  async start(): Promise<void> {
    const [row] = await this.database.query<{ default_transaction_isolation: string }>(
      'show default_transaction_isolation',
    );
    if (row?.default_transaction_isolation !== 'read committed') {
      throw new Error("the database's default_transaction_isolation must be 'read committed'");
    }
    await this.wakeUp.listen();
  }

  /** Ends all subscriptions and waits for appends under way. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.wakeUp.close();
    await this.lane.close();
  }

  async append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended> {
    const appended = await this.lane.append(stream, expected, serialise(stream, expected, events));
    this.wakeUp.grewTo(appended.position);
    return appended;
  }

  readStream(
    stream: string,
    options: { readonly from?: bigint; readonly direction?: 'forward' | 'backward'; readonly limit?: number } = {},
  ): AsyncIterable<StoredEvent> {
    return this.reader.stream(stream, options);
  }

  readAll(
    options: {
      readonly after?: Position;
      readonly before?: Position;
      readonly direction?: 'forward' | 'backward';
      readonly limit?: number;
    } & Selection = {},
  ): AsyncIterable<StoredEvent> {
    return this.reader.all(options);
  }

  async *subscribe(
    options: {
      readonly after: Position;
      readonly signal: AbortSignal;
      readonly maxBatch?: number;
      readonly unparsed?: boolean;
    } & Selection,
  ): AsyncIterable<Batch> {
    const signal = AbortSignal.any([options.signal, this.closing.signal]);
    const { maxBatch = DEFAULT_BATCH } = options;
    let position = options.after;
    let toldLive = false;
    /** What had been heard before the look that found the end of the log; what this process appended since tells its place. */
    let lookedAt: number | null = null;
    while (!signal.aborted) {
      // Asleep before the look: what is appended in between wakes this reader all the same.
      const doze = this.wakeUp.doze(signal);
      const { heard, grownTo } = this.wakeUp;
      if (heard === lookedAt && grownTo <= position) {
        await doze.over;
        continue;
      }
      const recent: Page | null =
        heard === lookedAt ? this.reader.recentPage(position, grownTo, options, maxBatch) : null;
      const page: Page | null = recent ?? (await this.pageAfter(position, options, maxBatch, signal));
      if (page === null) return;
      const live: boolean = page.upTo >= page.head;
      lookedAt = live ? heard : null;
      if (page.upTo > position || (live && !toldLive)) {
        doze.end();
        position = page.upTo;
        toldLive = live;
        yield { events: page.events, upTo: page.upTo, live };
        continue;
      }
      await doze.over;
    }
  }

  head(): Promise<Position> {
    return this.reader.head();
  }

  async reaches(position: Position): Promise<boolean> {
    return (await this.reader.head()) >= position;
  }

  answers(): Promise<boolean> {
    return new PostgresHeartbeat(this.database).beats();
  }

  /** It is in the very database that is asked whose it is. */
  identity(): Promise<LogIdentity> {
    return Promise.resolve({ kind: 'postgresql', id: null });
  }

  named(): Promise<LogIdentity> {
    return this.identity();
  }

  /** Tries for as long as it takes: a database that is away comes back, and the reader goes on where it was. */
  private async pageAfter(
    position: Position,
    selection: Selection & { readonly unparsed?: boolean },
    limit: number,
    signal: AbortSignal,
  ) {
    for (let delayMs = RETRY_MS; !signal.aborted; delayMs = Math.min(MAX_RETRY_MS, delayMs * 2)) {
      try {
        return await unlessAborted(this.reader.page(position, selection, limit), signal);
      } catch (error) {
        if (error instanceof InvalidPosition) throw error;
        this.logger.warn({ error }, 'the log could not be read; the reader tries again');
        await pause(delayMs, signal);
      }
    }
    return null;
  }
}
