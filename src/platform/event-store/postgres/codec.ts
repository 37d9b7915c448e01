import pg from 'pg';

import { type EventMetadata, JsonText, type Position, type StoredEvent } from '#domain/kernel/event';

import { type Expected, InvalidPosition } from '../event-store.port.js';

const POSITION_DIGITS = 20;

/** Positions are the lane's numbers with leading zeros, so that they sort as text. */
export function positionOf(number: bigint | string): Position {
  return String(number).padStart(POSITION_DIGITS, '0');
}

const POSITION = /^\d{20}$/;
const LARGEST = 2n ** 63n - 1n;

/** The number behind a position; 0 stands before the first event. Throws InvalidPosition. */
export function numberOf(position: Position): bigint {
  if (position === '') return 0n;
  const number = POSITION.test(position) ? BigInt(position) : LARGEST + 1n;
  if (number > LARGEST) throw new InvalidPosition(position);
  return number;
}

/** How `es.append` is told what a caller expects. */
export function expectedNumber(expected: Expected): string {
  switch (expected) {
    case 'no-stream':
      return '-1';
    case 'any':
      return '-2';
    case 'stream-exists':
      return '-4';
    default:
      return expected.toString();
  }
}

/** A row of `es.event` as `pg` gives it: bigint as text, jsonb parsed. */
export interface EventRow {
  readonly position: string;
  readonly stream: string;
  readonly revision: string;
  readonly id: string;
  readonly type: string;
  readonly data: object;
  readonly metadata: EventMetadata;
  readonly recorded_at: Date;
}

export function storedEvent(row: EventRow): StoredEvent {
  return {
    id: row.id,
    type: row.type,
    data: row.data,
    metadata: row.metadata,
    stream: row.stream,
    revision: BigInt(row.revision),
    position: positionOf(row.position),
    recordedAt: row.recorded_at,
  };
}

const { JSONB } = pg.types.builtins;

/** Leaves what is costly to parse as the text that PostgreSQL sent. */
export const UNPARSED = {
  /** A time as milliseconds since 1970, whose fraction a Date leaves out: that is read far sooner than a date in words. */
  recordedAt: 'extract(epoch from recorded_at) * 1000 as recorded_at',
  types: {
    getTypeParser: (type, format) =>
      type === JSONB ? (text: string) => text : (pg.types.getTypeParser(type, format) as never),
  } satisfies pg.CustomTypesConfig,
};

/** A row that was read with UNPARSED. */
export interface UnparsedRow extends Omit<EventRow, 'data' | 'metadata' | 'recorded_at'> {
  readonly data: string;
  readonly metadata: string;
  readonly recorded_at: string;
}

/** Its parts are parsed when somebody looks at them. */
export function unparsedEvent(row: UnparsedRow): StoredEvent {
  return new UnparsedEvent(row);
}

class UnparsedEvent implements StoredEvent {
  readonly id: string;
  readonly type: string;
  readonly stream: string;
  readonly revision: bigint;
  readonly position: Position;
  private parsedData: object | undefined;
  private parsedMetadata: EventMetadata | undefined;

  constructor(private readonly row: UnparsedRow) {
    this.id = row.id;
    this.type = row.type;
    this.stream = row.stream;
    this.revision = BigInt(row.revision);
    this.position = positionOf(row.position);
  }

  get data(): object {
    return (this.parsedData ??= JSON.parse(this.row.data) as object);
  }

  get metadata(): EventMetadata {
    return (this.parsedMetadata ??= JSON.parse(this.row.metadata) as EventMetadata);
  }

  get recordedAt(): Date {
    return new Date(Number(this.row.recorded_at));
  }

  get unparsed(): JsonText {
    return new JsonText(this.row.data);
  }
}
