import { BLOCK_BYTES, type Extent } from '../tracking/extents.js';

/** Bytes that are all zero, or blocks that aren't; as long as it can be within its window. */
export interface Run extends Extent {
  readonly isZero: boolean;
  readonly bytes: Buffer;
}

const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** Cuts bytes that were read from a block's beginning at `offset` into runs of zero blocks and of others. */
export function runsOf(bytes: Buffer, offset: number): readonly Run[] {
  const found: Run[] = [];
  let start = 0;
  const push = (past: number, zero: boolean) =>
    found.push({ offset: offset + start, length: past - start, isZero: zero, bytes: bytes.subarray(start, past) });
  let startIsZero = isZero(bytes.subarray(0, BLOCK_BYTES));
  for (let at = BLOCK_BYTES; at < bytes.length; at += BLOCK_BYTES) {
    const blockIsZero = isZero(bytes.subarray(at, at + BLOCK_BYTES));
    if (blockIsZero === startIsZero) continue;
    push(at, startIsZero);
    start = at;
    startIsZero = blockIsZero;
  }
  push(bytes.length, startIsZero);
  return found;
}

function isZero(block: Buffer): boolean {
  return block.equals(block.length === BLOCK_BYTES ? ZEROS : ZEROS.subarray(0, block.length));
}
