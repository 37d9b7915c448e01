import { setMaxListeners } from 'node:events';

import type { NewEvent, Position, StoredEvent } from '#domain/kernel/event';
import { pause } from '#platform/clock/pause';
import { unlessAborted } from '#platform/clock/unless-aborted';
import type { Logger } from '#platform/logging/logger.port';

import {
  type Appended,
  type Batch,
  type Expected,
  InvalidPosition,
  type LogIdentity,
  OpenEventStore,
  type Selection,
} from '../event-store.port.js';
import { Appender } from './appender.js';
import { EventStoreDbClient } from './client.js';
import { StreamNames } from './codec.js';
import { wasTooSlow } from './failures.js';
import { Reader } from './reader.js';
import { LogReplaced, SameLog } from './same-log.js';
import { Tail } from './tail.js';

const DEFAULT_BATCH = 500;
const RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
const ANSWERS_WITHIN_MS = 2000;

/** Where the log is, and under which names this OMA's streams stand there. */
export interface EventStoreDbSettings {
  /** A connection string, checked; with credentials, so never logged. */
  readonly url: string;
  /** '' when the server is this OMA's alone. */
  readonly namespace: string;
  /** A subscription that says nothing for so long, although the log has grown, is dead. */
  readonly silenceMs?: number;
}

/** The log in EventStoreDB (docs/adr/0012). */
export class EventStoreDbEventStore extends OpenEventStore {
  private readonly client: EventStoreDbClient;
  private readonly reader: Reader;
  private readonly appender: Appender;
  private readonly tail: Tail;
  private readonly sameLog: SameLog;
  private readonly closing = new AbortController();

  constructor(
    { url, namespace, silenceMs }: EventStoreDbSettings,
    private readonly logger: Logger,
  ) {
    super();
    // Every read under way listens to it, however many there are.
    setMaxListeners(0, this.closing.signal);
    const names = new StreamNames(namespace);
    this.sameLog = new SameLog(() => this.reader.logIdNow());
    this.client = new EventStoreDbClient(
      url,
      (error) => {
        this.logger.debug({ error }, 'the client of the event store met an answer that nobody waits for');
      },
      () => {
        this.sameLog.doubt();
      },
    );
    this.reader = new Reader(this.client, names, this.sameLog, this.closing.signal);
    this.appender = new Appender(this.client, this.reader, names, this.sameLog, this.closing.signal);
    this.tail = new Tail(this.client, this.reader, names, this.sameLog, logger, silenceMs);
  }

  /** Looks how far the log is. Throws EventStoreAway when the server does not answer. */
  async start(): Promise<void> {
    await this.reader.head();
  }

  /** Ends all subscriptions and waits for appends under way. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.appender.idle();
    await this.tail.close();
    await this.client.close();
  }

  append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended> {
    return this.appender.append(stream, expected, events);
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
    options: { readonly after: Position; readonly signal: AbortSignal; readonly maxBatch?: number } & Selection,
  ): AsyncIterable<Batch> {
    const signal = AbortSignal.any([options.signal, this.closing.signal]);
    const { maxBatch = DEFAULT_BATCH } = options;
    let position = options.after;
    let toldLive = false;
    // What nobody reads need not come over the wire.
    this.tail.follow(this.reader.farthest);
    // Otherwise the first page is read, so that the server says what it thinks of the position.
    let known = this.tail.knows(position);
    while (!signal.aborted) {
      // Asleep before the look: what comes in between wakes this reader all the same.
      const doze = this.tail.doze(signal);
      const kept = known ? this.tail.page(position, options, maxBatch) : null;
      const page = kept ?? (await this.pageAfter(position, options, maxBatch, { signal, known }));
      if (page === null) return;
      known = true;
      const live = page.isLast;
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

  reaches(position: Position): Promise<boolean> {
    return this.reader.reaches(position);
  }

  async answers(): Promise<boolean> {
    return !this.sameLog.wasReplaced && (await this.reader.answers(ANSWERS_WITHIN_MS));
  }

  get replaced(): Promise<void> {
    return this.sameLog.replaced;
  }

  async identity(): Promise<LogIdentity> {
    const id = await this.reader.logId();
    this.sameLog.isCalled(id);
    return { kind: 'eventstoredb', id };
  }

  async named(): Promise<LogIdentity> {
    if ((await this.reader.logId()) === null) await this.appender.nameLog();
    return this.identity();
  }

  /**
   * Tries for as long as it takes: a server that is away comes back, and the reader goes on where it was. A position that is `known`
   * to be one of this log stays one: the server says the same of a position that is none as of a fault of its own.
   */
  private async pageAfter(
    position: Position,
    selection: Selection,
    limit: number,
    { signal, known }: { readonly signal: AbortSignal; readonly known: boolean },
  ) {
    for (let delayMs = RETRY_MS; !signal.aborted; delayMs = Math.min(MAX_RETRY_MS, delayMs * 2)) {
      try {
        return await unlessAborted(this.reader.page(position, selection, limit, signal), signal);
      } catch (error) {
        if (error instanceof LogReplaced || (error instanceof InvalidPosition && !known)) throw error;
        if (!wasTooSlow(error)) this.logger.warn({ error }, 'the log could not be read; the reader tries again');
        await pause(delayMs, signal);
      }
    }
    return null;
  }
}
