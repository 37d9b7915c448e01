import type { FileHandle } from 'node:fs/promises';

import { isInHole } from './hole-map.js';
import { BLOCK_BYTES, type Extent } from '../tracking/extents.js';
import type { TrackedMoment } from '../tracking/change-tracking.js';

/** A disk as it was at one moment: blocks that the guest overwrites later are kept here before it does. */
export class DiskSnapshot {
  private readonly kept = new Map<number, Buffer>();

  /**
   * @param source open for as long as the snapshot lives.
   * @param holes of the file at that moment.
   */
  constructor(
    readonly sizeBytes: number,
    readonly moment: TrackedMoment,
    private readonly source: FileHandle,
    private readonly holes: readonly Extent[],
    private readonly whenReleased: (snapshot: DiskSnapshot) => Promise<void>,
  ) {}

  /** Whether the disk is known to have been zero there, without a look at its bytes. */
  isHole(extent: Extent): boolean {
    return isInHole(this.holes, extent);
  }

  /** Fills `into` with the bytes from `offset`. */
  async read(into: Buffer, offset: number): Promise<void> {
    await readOrZeros(this.source, into, offset);
    if (this.kept.size === 0) return;
    // Only now: what the guest overwrote while the file was read was kept before it was overwritten.
    const past = offset + into.length;
    for (let block = Math.floor(offset / BLOCK_BYTES); block * BLOCK_BYTES < past; block++) {
      const start = block * BLOCK_BYTES;
      const from = Math.max(offset, start);
      this.kept.get(block)?.copy(into, from - offset, from - start, past - start);
    }
  }

  /** Keeps the blocks that these bytes touch, unless that was done before. */
  async keep({ offset, length }: Extent): Promise<void> {
    const past = Math.min(offset + length, this.sizeBytes);
    for (let block = Math.floor(offset / BLOCK_BYTES); block * BLOCK_BYTES < past; block++) {
      if (this.kept.has(block)) continue;
      const bytes = Buffer.alloc(Math.min(BLOCK_BYTES, this.sizeBytes - block * BLOCK_BYTES));
      await readOrZeros(this.source, bytes, block * BLOCK_BYTES);
      this.kept.set(block, bytes);
    }
  }

  /** Forgets the snapshot. */
  async release(): Promise<void> {
    this.kept.clear();
    await this.whenReleased(this);
  }
}

/** What lies behind the end of the file reads as zeros. */
async function readOrZeros(source: FileHandle, into: Buffer, offset: number): Promise<void> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await source.read(into, done, into.length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  into.fill(0, done);
}
