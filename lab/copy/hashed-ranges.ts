import { Worker } from 'node:worker_threads';

import type { Run } from './runs.js';

/** What was read from the source there; `sha256` is null for zeros. */
export interface HashedRange {
  readonly offset: number;
  readonly length: number;
  readonly sha256: string | null;
}

/**
 * The program of the hashing thread, which reads shared memory: WebCrypto would copy every byte on the main thread first.
 * It is text, so that it runs wherever this file does, compiled or not.
 */
const HASHER = `
const { createHash } = require('node:crypto');
const { parentPort } = require('node:worker_threads');
parentPort.on('message', (bytes) => {
  parentPort.postMessage(createHash('sha256').update(bytes).digest('hex'));
});`;

interface Waiting {
  resolve(sha256: string): void;
  reject(error: Error): void;
}

/** Notes the hash of every run that is read, beside the copying. Has to be closed. */
export class HashedRanges {
  private readonly ranges: Promise<HashedRange>[] = [];
  /** The thread answers in the order in which it is asked. */
  private readonly waiting: Waiting[] = [];
  private thread: Worker | null = null;

  /** Starts the thread before there is anything to hash, while its user waits for something else. */
  warm(): void {
    this.thread ??= this.start();
  }

  /** Resolves when the bytes, which lie in shared memory, aren't needed any more. */
  add({ offset, length, isZero, bytes }: Run): Promise<HashedRange> {
    const sha256 = isZero ? Promise.resolve(null) : this.hash(bytes);
    const range = sha256.then((found) => ({ offset, length, sha256: found }));
    this.ranges.push(range);
    return range;
  }

  /** All of them, in rising order. */
  all(): Promise<readonly HashedRange[]> {
    return Promise.all(this.ranges);
  }

  async close(): Promise<void> {
    await this.thread?.terminate();
  }

  private hash(bytes: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.warm();
      this.thread?.postMessage(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    });
  }

  private start(): Worker {
    return new Worker(HASHER, { eval: true })
      .on('message', (sha256: string) => this.waiting.shift()?.resolve(sha256))
      .on('error', (error) => {
        for (const one of this.waiting.splice(0)) one.reject(error);
      })
      .on('exit', () => {
        for (const one of this.waiting.splice(0)) one.reject(new Error('the hashing ended'));
      });
  }
}
