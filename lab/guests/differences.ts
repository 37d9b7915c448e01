import type { FileHandle } from 'node:fs/promises';

import { BLOCK_BYTES } from '../tracking/extents.js';

const PIECE_BYTES = 1024 * 1024;

/** The blocks in which two files of the same size differ, with their bytes in the second one. */
export async function differences(
  before: FileHandle,
  after: FileHandle,
  sizeBytes: number,
): Promise<readonly { readonly offset: number; readonly bytes: Buffer }[]> {
  const found: { readonly offset: number; readonly bytes: Buffer }[] = [];
  const [old, now] = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)];
  for (let piece = 0; piece < sizeBytes; piece += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, sizeBytes - piece);
    await Promise.all([before.read(old, 0, length, piece), after.read(now, 0, length, piece)]);
    for (let at = 0; at < length; at += BLOCK_BYTES) {
      const past = Math.min(at + BLOCK_BYTES, length);
      const bytes = now.subarray(at, past);
      if (!bytes.equals(old.subarray(at, past))) found.push({ offset: piece + at, bytes: Buffer.from(bytes) });
    }
  }
  return found;
}
