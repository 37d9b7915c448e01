import { webcrypto } from 'node:crypto';

import type { Run } from './runs.js';

/** What was read from the source there; `sha256` is null for zeros. */
export interface HashedRange {
  readonly offset: number;
  readonly length: number;
  readonly sha256: string | null;
}

/** Notes the hash of every run that is read; the hashing itself happens on other threads. */
export class HashedRanges {
  private readonly ranges: Promise<HashedRange>[] = [];

  /** Resolves when the bytes aren't needed any more. */
  add({ offset, length, isZero, bytes }: Run): Promise<HashedRange> {
    const range = isZero
      ? Promise.resolve({ offset, length, sha256: null })
      : webcrypto.subtle
          .digest('SHA-256', bytes)
          .then((digest) => ({ offset, length, sha256: Buffer.from(digest).toString('hex') }));
    this.ranges.push(range);
    return range;
  }

  /** All of them, in rising order. */
  all(): Promise<readonly HashedRange[]> {
    return Promise.all(this.ranges);
  }
}
