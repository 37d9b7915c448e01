import type { SourceRange } from '#platform/vma/vma-client.port';

import { type OwnPiece, PIECE_BYTES } from './own-content.js';

/** The smallest thing a disk knows. Smaller ranges would be no account of reading it, and could be millions. */
const SECTOR_BYTES = 512;

/** All that is known of PIECE_BYTES of a disk: what the layer holds, and what the agent says it read there. */
export interface Window {
  readonly start: number;
  readonly pieces: readonly OwnPiece[];
  readonly ranges: readonly SourceRange[];
}

/** What the agent says it read makes no sense as such. */
export class SourceRangesWrong extends Error {
  override readonly name = 'SourceRangesWrong';
  constructor(readonly offset: number) {
    super(`what the agent says it read is out of order or out of place at offset ${offset}`);
  }
}

/**
 * Both accounts side by side, window by window in rising order; windows of which neither tells anything are left out. Throws
 * SourceRangesWrong when ranges overlap, fall back, cross a window's end, leave the disk or aren't whole sectors.
 */
export async function* windows(
  own: AsyncIterable<OwnPiece>,
  source: AsyncIterable<SourceRange> | null,
  sizeBytes: number,
): AsyncGenerator<Window> {
  const pieces = grouped(own);
  const ranges = grouped(source === null ? none() : inOrder(source, sizeBytes));
  try {
    let [piece, range] = await Promise.all([pieces.next(), ranges.next()]);
    while (piece.done !== true || range.done !== true) {
      const ofPieces: number = piece.done === true ? Infinity : piece.value.start;
      const ofRanges: number = range.done === true ? Infinity : range.value.start;
      const start = Math.min(ofPieces, ofRanges);
      yield {
        start,
        pieces: piece.done !== true && ofPieces === start ? piece.value.all : [],
        ranges: range.done !== true && ofRanges === start ? range.value.all : [],
      };
      [piece, range] = await Promise.all([
        ofPieces === start ? pieces.next() : piece,
        ofRanges === start ? ranges.next() : range,
      ]);
    }
  } finally {
    await Promise.allSettled([pieces.return(undefined), ranges.return(undefined)]);
  }
}

async function* grouped<One extends { readonly offset: number }>(
  all: AsyncIterable<One>,
): AsyncGenerator<{ readonly start: number; readonly all: readonly One[] }, undefined> {
  let start = -1;
  let group: One[] = [];
  for await (const one of all) {
    const at = one.offset - (one.offset % PIECE_BYTES);
    if (at !== start && group.length > 0) {
      yield { start, all: group };
      group = [];
    }
    start = at;
    group.push(one);
  }
  if (group.length > 0) yield { start, all: group };
  return undefined;
}

async function* inOrder(source: AsyncIterable<SourceRange>, sizeBytes: number): AsyncGenerator<SourceRange> {
  let reached = 0;
  for await (const range of source) {
    const { offset, length } = range;
    const isAligned = offset % SECTOR_BYTES === 0 && (length % SECTOR_BYTES === 0 || offset + length === sizeBytes);
    const fits =
      isAligned && offset >= reached && offset + length <= sizeBytes && (offset % PIECE_BYTES) + length <= PIECE_BYTES;
    if (!fits) throw new SourceRangesWrong(offset);
    reached = offset + length;
    yield range;
  }
}

async function* none(): AsyncGenerator<never> {
  // The agent offers nothing.
}
