import { createCipheriv, createHash } from 'node:crypto';

/** Always the same bytes for a seed, and as random as a photo's: nothing compresses them. */
export function seededBytes(seed: string, size: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
