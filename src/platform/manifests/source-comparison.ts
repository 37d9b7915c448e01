import type { SourceRange } from '#platform/vma/vma-client.port';

import type { ManifestPiece } from './content-manifest.js';
import type { HashPart, HashSource, HashWorkers } from './hash-workers.js';
import type { OwnPiece } from './own-content.js';
import type { Window } from './windows.js';

/** The layer isn't what the agent says it read from the source. */
export class SourceDiffers extends Error {
  override readonly name = 'SourceDiffers';
  constructor(
    readonly offset: number,
    readonly length: number,
    reason: string,
  ) {
    super(`${reason}, at offset ${offset} over ${length} bytes`);
  }
}

const CLUSTER_BYTES = 64 * 1024;

/**
 * Compares one window with what the agent says it read; `hashes` are those of the window's pieces. Throws SourceDiffers.
 *
 * What an increment doesn't hold comes from its parent, so a range that was read and isn't there was lost. What a full layer
 * doesn't hold is zero. A layer may hold more than was sent only within the clusters that were written.
 */
export async function compareWindow(
  window: Window,
  hashes: readonly ManifestPiece[],
  image: HashSource & { readonly workers: HashWorkers },
  isFull: boolean,
): Promise<void> {
  refuseUnsent(window);
  for (const range of window.ranges) {
    if (!isFull) refuseLost(window, range);
    const same = hashes.find(({ offset, length }) => offset === range.offset && length === range.length);
    const isSame =
      same?.sha256 != null && 'sha256' in range
        ? same.sha256 === range.sha256
        : await matches(window.pieces, range, image);
    if (!isSame) throw new SourceDiffers(range.offset, range.length, 'the image holds other bytes than the agent read');
  }
}

/** Reads the range again, in the borders in which the agent hashed it. */
async function matches(
  pieces: readonly OwnPiece[],
  range: SourceRange,
  image: HashSource & { readonly workers: HashWorkers },
): Promise<boolean> {
  const parts = partsOf(pieces, range);
  const isZero = parts.every(({ hostOffset }) => hostOffset === null);
  if ('zero' in range) {
    const nothing = { hostOffset: null, length: range.length };
    return isZero || (await image.workers.hash(image, parts)) === (await image.workers.hash(image, [nothing]));
  }
  return (await image.workers.hash(image, parts)) === range.sha256;
}

/** The range as a reader of the image finds it; what isn't data in this layer is zero. */
function partsOf(pieces: readonly OwnPiece[], range: Stretch): readonly HashPart[] {
  const parts: HashPart[] = [];
  let reached = range.offset;
  for (const data of pieces.flatMap(stretchesOf).filter((one) => overlaps(one, range))) {
    const from = Math.max(data.offset, range.offset);
    const to = Math.min(end(data), end(range));
    if (from > reached) parts.push({ hostOffset: null, length: from - reached });
    parts.push({ hostOffset: data.hostOffset + (from - data.offset), length: to - from });
    reached = to;
  }
  if (reached < end(range)) parts.push({ hostOffset: null, length: end(range) - reached });
  return parts;
}

function stretchesOf({ offset, stretches }: OwnPiece): readonly (Stretch & { readonly hostOffset: number })[] {
  let at = offset;
  return (stretches ?? []).map(({ hostOffset, length }) => {
    const stretch = { offset: at, length, hostOffset };
    at += length;
    return stretch;
  });
}

function refuseLost({ pieces }: Window, range: SourceRange): void {
  let reached = range.offset;
  for (const piece of pieces.filter((one) => overlaps(one, range))) {
    if (piece.offset > reached) break;
    reached = end(piece);
  }
  if (reached < end(range)) {
    throw new SourceDiffers(reached, end(range) - reached, 'the agent read what the image does not hold');
  }
}

function refuseUnsent({ pieces, ranges }: Window): void {
  for (const piece of pieces) {
    for (let at = piece.offset; at < end(piece); at += CLUSTER_BYTES) {
      const cluster = { offset: at - (at % CLUSTER_BYTES), length: CLUSTER_BYTES };
      if (!ranges.some((range) => overlaps(range, cluster))) {
        const length = Math.min(CLUSTER_BYTES, end(piece) - at);
        throw new SourceDiffers(at, length, 'the image holds what the agent did not read');
      }
    }
  }
}

type Stretch = { readonly offset: number; readonly length: number };

function end({ offset, length }: Stretch): number {
  return offset + length;
}

function overlaps(one: Stretch, other: Stretch): boolean {
  return one.offset < end(other) && other.offset < end(one);
}
