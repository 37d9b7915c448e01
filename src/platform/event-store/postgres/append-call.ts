import type pg from 'pg';

import type { Database } from '#platform/database/database';

import type { SerialisedEvent } from '../append-rules.js';
import { type Appended, EventIdReused, type Expected, WrongExpectedRevision } from '../event-store.port.js';
import type { Announcements } from './announcements.js';
import { expectedNumber, positionOf } from './codec.js';

/** An append that somebody waits for. */
export interface Request {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: readonly SerialisedEvent[];
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

interface Outcome {
  readonly req: number;
  readonly status: 'ok' | 'duplicate' | 'id-reused' | 'conflict';
  readonly revision: string;
  readonly pos: string | null;
}

/** What stands before the first event that was stored; no row, or null, when something stands in the way. */
interface Base {
  readonly base: string | null;
}

interface PlacedEvent extends SerialisedEvent {
  readonly stream: string;
  readonly revision: bigint;
}

/** A request that says which revision its first event gets. */
interface Placed {
  readonly request: Request;
  readonly first: bigint;
}

const UNIQUE_VIOLATION = '23505';

/**
 * One event whose revision follows its stream's last one. The update is the lane, as in the functions: whoever else appends waits
 * here until the end of this statement. No row: the stream is elsewhere, and nothing was stored.
 */
const APPEND_ONE = `with lane as (
    update es.head h set position = h.position + 1
     where coalesce((select max(e.revision) from es.event e where e.stream = $1), -1) = $2::bigint - 1
    returning h.position)
  insert into es.event select lane.position, $1, $2, $3, $4, $5, $6, clock_timestamp() from lane
  returning position - 1 base`;
const APPEND_ONE_AND_TELL = `${APPEND_ONE}, pg_notify('es', '')`;
const APPEND_NEW = `select es.append_new($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::uuid[], $6::text[],
  $7::jsonb[], $8::jsonb[], $9::boolean) base`;
const APPEND = `select req, status, revision, pos
  from es.append($1::text[], $2::bigint[], $3::int[], $4::uuid[], $5::text[], $6::jsonb[], $7::jsonb[])`;

/** Requests for different streams in one call of the database: one transaction, and an answer for each. */
export class AppendCall {
  constructor(
    private readonly database: Database,
    private readonly announcements: Announcements,
  ) {}

  /** Answers each request. Throws when the call failed as a whole; then none was answered, and all may have been stored. */
  async send(batch: readonly Request[], deadline: number): Promise<void> {
    const placed = batch.flatMap(placedOf);
    if (placed.length === batch.length && (await this.store(placed, deadline))) return;
    await this.judge(batch, deadline);
  }

  /** The usual case, that nothing stands in the way: everything or nothing is stored. */
  private async store(batch: readonly Placed[], deadline: number): Promise<boolean> {
    const tells = this.announcements.isTime();
    const [answer] = await this.insert(batch, tells, deadline);
    if (answer === undefined || answer.base === null) return false;
    this.announcements.stored(tells);
    let position = BigInt(answer.base);
    for (const { request, first } of batch) {
      const count = BigInt(request.events.length);
      position += count;
      request.resolve({ revision: first + count - 1n, position: positionOf(position), duplicate: false });
    }
    return true;
  }

  private insert(batch: readonly Placed[], tells: boolean, deadline: number): Promise<readonly Base[]> {
    const flat = batch.flatMap(({ request: { stream, events }, first }) =>
      events.map((event, index) => ({ ...event, stream, revision: first + BigInt(index) })),
    );
    const [one] = flat;
    if (one !== undefined && flat.length === 1) return this.insertOne(one, tells, deadline);
    const after = batch.filter(({ first }) => first > 0n);
    return this.query<Base>(deadline, 'es append new', APPEND_NEW, [
      after.map(({ request }) => request.stream),
      after.map(({ first }) => first - 1n),
      flat.map(({ stream }) => stream),
      flat.map(({ revision }) => revision),
      flat.map(({ id }) => id),
      flat.map(({ type }) => type),
      flat.map(({ data }) => data),
      flat.map(({ metadata }) => metadata),
      tells,
    ]);
  }

  private async insertOne(event: PlacedEvent, tells: boolean, deadline: number): Promise<readonly Base[]> {
    const { stream, revision, id, type, data, metadata } = event;
    const [name, text] = tells ? ['es append one and tell', APPEND_ONE_AND_TELL] : ['es append one', APPEND_ONE];
    try {
      return await this.query<Base>(deadline, name, text, [stream, revision, id, type, data, metadata]);
    } catch (error) {
      // An id that is in use, or somebody was faster since the statement began.
      if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return [];
      throw error;
    }
  }

  /** Each request by itself: stored, recognised, or refused with the reason. */
  private async judge(batch: readonly Request[], deadline: number): Promise<void> {
    const flat = batch.flatMap(({ events }, index) => events.map((event) => ({ ...event, req: index + 1 })));
    const outcomes = await this.query<Outcome>(deadline, 'es append', APPEND, [
      batch.map(({ stream }) => stream),
      batch.map(({ expected }) => expectedNumber(expected)),
      flat.map(({ req }) => req),
      flat.map(({ id }) => id),
      flat.map(({ type }) => type),
      flat.map(({ data }) => data),
      flat.map(({ metadata }) => metadata),
    ]);
    for (const outcome of outcomes) settle(batch[outcome.req - 1], outcome);
  }

  private async query<Row extends pg.QueryResultRow>(
    deadline: number,
    name: string,
    text: string,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    // Not in the types of `pg`, which has it all the same: the connection is given up with the query.
    const query: pg.QueryConfig & { readonly query_timeout: number } = {
      name,
      text,
      values: [...values],
      query_timeout: Math.max(1, Math.ceil(deadline - performance.now())),
    };
    return (await this.database.pool.query<Row>(query)).rows;
  }
}

function placedOf(request: Request): readonly Placed[] {
  const { expected } = request;
  if (expected === 'no-stream') return [{ request, first: 0n }];
  return typeof expected === 'bigint' ? [{ request, first: expected + 1n }] : [];
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
