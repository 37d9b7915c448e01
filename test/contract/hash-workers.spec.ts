import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Worker } from 'node:worker_threads';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { HashWorkers } from '#platform/manifests/hash-workers';

/** Node tells here of every thread that is made. */
const MADE = 'worker_threads';
const ZERO = { hostOffset: null, length: 1 };
const SHA256_OF_ZERO = '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d';

describe('threads for hashing', () => {
  const made: Worker[] = [];
  const note = (message: unknown) => made.push((message as { worker: Worker }).worker);
  let workers: HashWorkers;

  beforeEach(() => {
    subscribe(MADE, note);
    workers = new HashWorkers();
  });

  afterEach(async () => {
    unsubscribe(MADE, note);
    await workers.close();
  });

  it('are replaced when they end while they have nothing to do', async () => {
    expect(await workers.hash(0, [ZERO])).toBe(SHA256_OF_ZERO);
    expect(await workers.hash(0, [ZERO])).toBe(SHA256_OF_ZERO);
    expect(made).toHaveLength(1);
    await made[0]?.terminate();
    expect(await workers.hash(0, [ZERO])).toBe(SHA256_OF_ZERO);
    expect(made).toHaveLength(2);
  });
});
