import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

import type { HashAnswer, HashTask } from './hash-workers.js';

/** Small enough to be hashed while it is still in the processor's cache. */
const CHUNK_BYTES = 256 * 1024;
const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
const zeros = Buffer.alloc(CHUNK_BYTES);

/** Answers how many bytes came before the file ended, or null when all of them were there. */
function hashed({ fd, parts }: HashTask): Omit<HashAnswer, 'id'> {
  const hash = createHash('sha256');
  let done = 0;
  for (const { hostOffset, length } of parts) {
    for (let at = 0; at < length;) {
      const wanted = Math.min(CHUNK_BYTES, length - at);
      const read = hostOffset === null ? wanted : readSync(fd, chunk, 0, wanted, hostOffset + at);
      if (read === 0) return { sha256: null, cutOffAt: done, error: null };
      hash.update((hostOffset === null ? zeros : chunk).subarray(0, read));
      at += read;
      done += read;
    }
  }
  return { sha256: hash.digest('hex'), cutOffAt: null, error: null };
}

parentPort?.on('message', (task: HashTask) => {
  let answer: Omit<HashAnswer, 'id'>;
  try {
    answer = hashed(task);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    answer = { sha256: null, cutOffAt: null, error: { message, code: code ?? null } };
  }
  parentPort?.postMessage({ id: task.id, ...answer } satisfies HashAnswer);
});
