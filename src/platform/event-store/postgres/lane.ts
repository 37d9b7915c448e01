import { setTimeout as pause } from 'node:timers/promises';

import type pg from 'pg';

import type { Database } from '#platform/database/database';
import { isTransient } from '#platform/database/transient';

import type { SerialisedEvent } from '../append-rules.js';
import { type Appended, EventIdReused, type Expected, WrongExpectedRevision } from '../event-store.port.js';
import { expectedNumber, positionOf } from './codec.js';

const MAX_REQUESTS = 256;
const MAX_BYTES = 1024 * 1024;
/** So long a database may be away before those who wait are told. */
const ANSWER_WITHIN_MS = 15_000;
/** Even who waited long already gets one honest try. */
const MIN_ANSWER_MS = 250;
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 1000;

interface Request {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: readonly SerialisedEvent[];
  readonly bytes: number;
  /** When whoever waits is told that no answer came; on the clock of `performance.now`. */
  readonly deadline: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

interface Outcome {
  readonly req: number;
  readonly status: 'ok' | 'duplicate' | 'id-reused' | 'conflict';
  readonly revision: string;
  readonly pos: string | null;
}

const APPEND = `select req, status, revision, pos
  from es.append($1::text[], $2::bigint[], $3::int[], $4::uuid[], $5::text[], $6::jsonb[], $7::jsonb[])`;

/**
 * The one way into the log for this process. What waits while a call is under way goes into the next one together: one
 * commit for many appends, and no delay when nothing waits.
 */
export class Lane {
  private waiting: Request[] = [];
  private busy = false;
  private draining: Promise<void> = Promise.resolve();

  constructor(private readonly database: Database) {}

  append(stream: string, expected: Expected, events: readonly SerialisedEvent[]): Promise<Appended> {
    const bytes = events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0);
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + ANSWER_WITHIN_MS;
      this.waiting.push({ stream, expected, events, bytes, deadline, resolve, reject });
      if (!this.busy) this.draining = this.drain();
    });
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.draining;
  }

  /** Nothing may lie between the last look at what waits and being idle: a request in between would wait for ever. */
  private async drain(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) {
      const batch = this.takeBatch();
      try {
        await this.sendUntilAnswered(batch);
      } catch (error) {
        if (isTransient(error)) for (const request of batch) request.reject(error);
        else await this.sendOneByOne(batch, error);
      }
    }
    this.busy = false;
  }

  /** In the order of arrival; a second request for a stream waits for the next call, so that it meets the first one's end. */
  private takeBatch(): Request[] {
    const batch: Request[] = [];
    const streams = new Set<string>();
    const left: Request[] = [];
    let bytes = 0;
    for (const request of this.waiting) {
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
  private async sendOneByOne(batch: readonly Request[], error: unknown): Promise<void> {
    if (batch.length === 1) {
      batch[0]?.reject(error);
      return;
    }
    for (const request of batch) {
      await this.sendUntilAnswered([request]).catch((own: unknown) => {
        request.reject(own);
      });
    }
  }

  /** A call whose answer was lost may have been stored: sent again with the same ids, it is recognised. */
  private async sendUntilAnswered(batch: readonly Request[]): Promise<void> {
    const deadline = Math.min(...batch.map((request) => request.deadline));
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      try {
        await this.send(batch, Math.max(MIN_ANSWER_MS, deadline - performance.now()));
        return;
      } catch (error) {
        if (!isTransient(error) || performance.now() + delayMs > deadline) throw error;
        await pause(delayMs);
      }
    }
  }

  private async send(batch: readonly Request[], withinMs: number): Promise<void> {
    const flat = batch.flatMap(({ events }, index) => events.map((event) => ({ ...event, req: index + 1 })));
    // Not in the types of `pg`, which has it all the same: the connection is given up with the query.
    const query: pg.QueryConfig & { readonly query_timeout: number } = {
      name: 'es append',
      text: APPEND,
      query_timeout: Math.ceil(withinMs),
      values: [
        batch.map(({ stream }) => stream),
        batch.map(({ expected }) => expectedNumber(expected)),
        flat.map(({ req }) => req),
        flat.map(({ id }) => id),
        flat.map(({ type }) => type),
        flat.map(({ data }) => data),
        flat.map(({ metadata }) => metadata),
      ],
    };
    const { rows } = await this.database.pool.query<Outcome>(query);
    for (const outcome of rows) settle(batch[outcome.req - 1], outcome);
  }
}

function settle(request: Request | undefined, outcome: Outcome): void {
  if (request === undefined) return;
  const revision = BigInt(outcome.revision);
  switch (outcome.status) {
    case 'ok':
    case 'duplicate':
      request.resolve({
        revision,
        position: positionOf(outcome.pos ?? '0'),
        duplicate: outcome.status === 'duplicate',
      });
      break;
    case 'id-reused':
      request.reject(new EventIdReused(request.stream));
      break;
    case 'conflict':
      request.reject(new WrongExpectedRevision(request.stream, request.expected, revision));
      break;
  }
}
