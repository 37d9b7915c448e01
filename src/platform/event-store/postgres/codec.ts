import type { EventMetadata, Position, StoredEvent } from '#domain/kernel/event';

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
