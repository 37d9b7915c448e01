/** The granularity of change tracking and of zero detection, in bytes. */
export const BLOCK_BYTES = 64 * 1024;

/** Bytes of a disk, from `offset`. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export function bytesOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { length }) => sum + length, 0);
}

/** How many blocks a disk of so many bytes has; the last one may be shorter. */
export function blockCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_BYTES);
}

/** The blocks that `isIn` names, neighbours joined, up to the end of the disk. */
export function extentsOf(sizeBytes: number, isIn: (block: number) => boolean): readonly Extent[] {
  const found: Extent[] = [];
  const blocks = blockCount(sizeBytes);
  let block = 0;
  while (block < blocks) {
    if (isIn(block)) {
      const first = block;
      while (block < blocks && isIn(block)) block++;
      const offset = first * BLOCK_BYTES;
      found.push({ offset, length: Math.min(block * BLOCK_BYTES, sizeBytes) - offset });
    } else {
      block++;
    }
  }
  return found;
}
