import type pg from 'pg';

import { bigintArray, jsonArray, textArray, uuidArray } from '#platform/database/binary-arrays';
import type { OwnConnection } from '#platform/database/own-connection';

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

/** A request that says which revision its first event gets. */
interface Placed extends Request {
  readonly expected: bigint | 'no-stream';
}

type PlacedOne = Placed & { readonly events: readonly [SerialisedEvent] };

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
    private readonly connection: OwnConnection,
    private readonly announcements: Announcements,
  ) {}

  /** Answers each request. Throws when the call failed as a whole; then none was answered, and all may have been stored. */
  async send(batch: readonly Request[], deadline: number): Promise<void> {
    if (batch.every(isPlaced)) {
      // The usual case, that nothing stands in the way: everything or nothing is stored.
      const tells = this.announcements.isTime();
      const base = await this.store(batch, tells, deadline);
      if (base !== null) {
        this.announcements.stored(tells);
        answerAll(batch, BigInt(base));
        return;
      }
    }
    await this.judge(batch, deadline);
  }

  /** Answers what stood before the first event, or null when nothing was stored. */
  private store(batch: readonly Placed[], tells: boolean, deadline: number): Promise<string | null> {
    const [one] = batch;
    const isOne = one !== undefined && batch.length === 1 && hasOneEvent(one);
    return isOne ? this.insertOne(one, tells, deadline) : this.insert(batch, tells, deadline);
  }

  private async insert(batch: readonly Placed[], tells: boolean, deadline: number): Promise<string | null> {
    const events = batch.flatMap((request) => request.events);
    const [after, revisions] = [batch.filter(({ expected }) => expected !== 'no-stream'), batch.flatMap(revisionsOf)];
    const [answer] = await this.query<Base>(deadline, 'es append new', APPEND_NEW, [
      textArray(after.map(({ stream }) => stream)),
      bigintArray(after.map(({ expected }) => firstRevision(expected) - 1n)),
      textArray(batch.flatMap((request) => request.events.map(() => request.stream))),
      bigintArray(revisions),
      uuidArray(events.map(({ id }) => id)),
      textArray(events.map(({ type }) => type)),
      jsonArray(events.map(({ data }) => data)),
      jsonArray(events.map(({ metadata }) => metadata)),
      tells,
    ]);
    return answer?.base ?? null;
  }

  private async insertOne(
    { stream, expected, events: [event] }: PlacedOne,
    tells: boolean,
    deadline: number,
  ): Promise<string | null> {
    const [name, text] = tells ? ['es append one and tell', APPEND_ONE_AND_TELL] : ['es append one', APPEND_ONE];
    const values = [stream, firstRevision(expected), event.id, event.type, event.data, event.metadata];
    try {
      const [answer] = await this.query<Base>(deadline, name, text, values);
      return answer?.base ?? null;
    } catch (error) {
      // An id that is in use, or somebody was faster since the statement began.
      if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return null;
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

  private query<Row extends pg.QueryResultRow>(
    deadline: number,
    name: string,
    text: string,
    values: unknown[],
  ): Promise<readonly Row[]> {
    return this.connection.query<Row>({ name, text, values }, Math.max(1, Math.ceil(deadline - performance.now())));
  }
}

function isPlaced(request: Request): request is Placed {
  return request.expected === 'no-stream' || typeof request.expected === 'bigint';
}

function hasOneEvent(request: Placed): request is PlacedOne {
  return request.events.length === 1;
}

function revisionsOf({ expected, events }: Placed): readonly bigint[] {
  const first = firstRevision(expected);
  return events.map((_event, index) => first + BigInt(index));
}

function firstRevision(expected: Placed['expected']): bigint {
  return expected === 'no-stream' ? 0n : expected + 1n;
}

/** They were stored one after the other behind what stood at `base`. */
function answerAll(batch: readonly Placed[], base: bigint): void {
  let position = base;
  for (const { expected, events, resolve } of batch) {
    const count = BigInt(events.length);
    position += count;
    resolve({ revision: firstRevision(expected) + count - 1n, position: positionOf(position), duplicate: false });
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
