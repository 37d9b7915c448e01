import { setTimeout as pause } from 'node:timers/promises';

import type { Database } from '#platform/database/database';
import { OwnConnection } from '#platform/database/own-connection';
import { isTransient } from '#platform/database/transient';

import type { SerialisedEvent } from '../append-rules.js';
import type { Appended, Expected } from '../event-store.port.js';
import { Announcements } from './announcements.js';
import { AppendCall, type Request } from './append-call.js';
import { refusalOf } from './away.js';

const MAX_REQUESTS = 256;
const MAX_BYTES = 1024 * 1024;
/** So long a database may be away before those who wait are told. */
const ANSWER_WITHIN_MS = 15_000;
/** Even who waited long already gets one honest try. */
const MIN_ANSWER_MS = 250;
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 1000;

/**
 * All that appends look for has an index. A planner that knows no statistics yet takes a log for short, and keeps a plan that reads
 * all of it until somebody analyses the table.
 */
const BY_KEY = 'set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off';

interface Waiting extends Request {
  readonly bytes: number;
  /** When whoever waits is told that no answer came; on the clock of `performance.now`. */
  readonly deadline: number;
}

/**
 * The one way into the log for this process. What waits while a call is under way goes into the next one together: one
 * commit for many appends, and no delay when nothing waits.
 */
export class Lane {
  private readonly announcements: Announcements;
  private readonly connection: OwnConnection;
  private readonly call: AppendCall;
  private waiting: Waiting[] = [];
  private busy = false;
  private draining: Promise<void> = Promise.resolve();

  constructor(database: Database) {
    this.connection = new OwnConnection(database, 'oma lane', BY_KEY);
    this.announcements = new Announcements(this.connection, () => {
      this.goOn();
    });
    this.call = new AppendCall(this.connection, this.announcements);
  }

  append(stream: string, expected: Expected, events: readonly SerialisedEvent[]): Promise<Appended> {
    const bytes = events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0);
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + ANSWER_WITHIN_MS;
      this.waiting.push({ stream, expected, events, bytes, deadline, resolve, reject });
      this.goOn();
    });
  }

  private goOn(): void {
    if (!this.busy) this.draining = this.drain();
  }

  /** The server's process that appends come from; null while there is none. */
  get processId(): number | null {
    return this.connection.processId;
  }

  /** Waits until nothing waits any more, and readers elsewhere were told of everything. */
  async close(): Promise<void> {
    await this.draining;
    await this.announcements.settle();
    await this.connection.close();
  }

  /** Nothing may lie between the last look at what waits and being idle: a request in between would wait for ever. */
  private async drain(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0 || this.announcements.isDue) {
      // Appends tell for themselves when it is time; after the last one nobody else does.
      if (this.waiting.length === 0) {
        await this.announcements.tell();
        continue;
      }
      const batch = this.takeBatch();
      try {
        await this.sendUntilAnswered(batch);
      } catch (error) {
        if (isTransient(error)) for (const request of batch) request.reject(refusalOf(error));
        else await this.sendOneByOne(batch, error);
      }
    }
    this.busy = false;
  }

  /** In the order of arrival; a second request for a stream waits for the next call, so that it meets the first one's end. */
  private takeBatch(): readonly Waiting[] {
    const all = this.waiting;
    if (all.length === 1) {
      this.waiting = [];
      return all;
    }
    const batch: Waiting[] = [];
    const streams = new Set<string>();
    const left: Waiting[] = [];
    let bytes = 0;
    for (const request of all) {
      const fits = batch.length < MAX_REQUESTS && (batch.length === 0 || bytes + request.bytes <= MAX_BYTES);
      if (!fits || streams.has(request.stream)) {
        left.push(request);
      } else {
        batch.push(request);
        bytes += request.bytes;
      }
      streams.add(request.stream);
    }
    this.waiting = left;
    return batch;
  }

  /** A database error is of the whole call: alone, each shows whether it was the one. */
  private async sendOneByOne(batch: readonly Waiting[], error: unknown): Promise<void> {
    if (batch.length === 1) {
      batch[0]?.reject(error);
      return;
    }
    for (const request of batch) {
      await this.sendUntilAnswered([request]).catch((own: unknown) => {
        request.reject(refusalOf(own));
      });
    }
  }

  /** A call whose answer was lost may have been stored: sent again with the same ids, it is recognised. */
  private async sendUntilAnswered(batch: readonly Waiting[]): Promise<void> {
    const deadline = Math.min(...batch.map((request) => request.deadline));
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      try {
        await this.call.send(batch, Math.max(deadline, performance.now() + MIN_ANSWER_MS));
        return;
      } catch (error) {
        if (!isTransient(error) || performance.now() + delayMs > deadline) throw error;
        await pause(delayMs);
      }
    }
  }
}
