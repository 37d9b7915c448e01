import { randomBytes } from 'node:crypto';

/** A point in a disk's life, as vCenter names it: within an epoch the sequence counts up; a reset begins another epoch. */
export interface ChangeId {
  readonly epoch: string;
  readonly sequence: number;
}

const CHANGE_ID = /^((?:[0-9a-f]{2} ){7}[0-9a-f]{2}-(?:[0-9a-f]{2} ){7}[0-9a-f]{2})\/(\d{1,10})$/;

/** As in `52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81`. */
export function changeIdText({ epoch, sequence }: ChangeId): string {
  return `${epoch}/${sequence}`;
}

/** Null when the text is no change id. */
export function readChangeId(text: string): ChangeId | null {
  const [, epoch, sequence] = CHANGE_ID.exec(text) ?? [];
  return epoch === undefined ? null : { epoch, sequence: Number(sequence) };
}

/** Sixteen random bytes in pairs of digits, a hyphen in their middle. */
export function newEpoch(): string {
  const pairs = [...randomBytes(16)].map((byte) => byte.toString(16).padStart(2, '0'));
  return `${pairs.slice(0, 8).join(' ')}-${pairs.slice(8).join(' ')}`;
}
