import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Worker } from 'node:worker_threads';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { type HashSource, HashWorkers } from '#platform/manifests/hash-workers';

import { DiskWorld, kill } from '../kit/disk-world.js';
import { eventually } from '../kit/eventually.js';
import { heardLog } from '../kit/heard-log.js';

/** Node tells here of every thread that is made. */
const MADE = 'worker_threads';
/** No file is read for zeros. */
const NOTHING = { fd: 0, storage: 0 };
const ZERO = { hostOffset: null, length: 1 };
const MIB = 1024 * 1024;
const SHA256_OF_PART = createHash('sha256').update(Buffer.alloc(4096, 1)).digest('hex');
const SHA256_OF_ZERO = '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d';

describe('threads for hashing', () => {
  const made: Worker[] = [];
  const note = (message: unknown) => made.push((message as { worker: Worker }).worker);
  let workers: HashWorkers;
  let log: ReturnType<typeof heardLog>;

  beforeEach(() => {
    made.splice(0);
    subscribe(MADE, note);
    log = heardLog();
    workers = new HashWorkers(log.logger);
  });

  afterEach(async () => {
    unsubscribe(MADE, note);
    await workers.close();
  });

  it('are replaced when they end while they have nothing to do', async () => {
    expect(await workers.hash(NOTHING, [ZERO])).toBe(SHA256_OF_ZERO);
    expect(await workers.hash(NOTHING, [ZERO])).toBe(SHA256_OF_ZERO);
    expect(made).toHaveLength(1);
    await made[0]?.terminate();
    expect(await workers.hash(NOTHING, [ZERO])).toBe(SHA256_OF_ZERO);
    expect(made).toHaveLength(2);
  });

  describe('when storage hangs', () => {
    const HANGS_AFTER_MS = 300;
    const CLOSES_WITHIN_MS = 200;
    const PART = { hostOffset: 0, length: 4096 };
    let world: DiskWorld;
    let hanging: FileHandle;
    let source: HashSource;

    /** A file that nobody has read yet, on a filesystem whose program is stopped. */
    beforeEach(async () => {
      world = new DiskWorld();
      mkdirSync(world.path('tree'));
      mkdirSync(world.path('mounted'));
      writeFileSync(world.path('tree', 'file'), Buffer.alloc(MIB, 1));
      execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', world.path('tree'), world.path('image'), '8M']);
      execFileSync('fuse2fs', [world.path('image'), world.path('mounted'), '-o', 'ro']);
      hanging = await open(world.path('mounted', 'file'));
      source = { fd: hanging.fd, storage: (await hanging.stat()).dev };
      await signal('SIGSTOP');
      workers = new HashWorkers(log.logger, { hangsAfterMs: HANGS_AFTER_MS, closesWithinMs: CLOSES_WITHIN_MS });
    });

    afterEach(async () => {
      await signal('SIGCONT');
      await hanging.close();
      await world.clear();
    });

    const signal = async (name: NodeJS.Signals) => {
      for (const { pid } of await world.processes()) kill(pid, name);
    };

    it('nobody who ends them waits for it, nor for what they were asked', async () => {
      const hangs = [1, 2].map(() => workers.hash(source, [PART]));
      // Both hang when somebody else had to make a third.
      expect(await workers.hash(NOTHING, [ZERO])).toBe(SHA256_OF_ZERO);
      await workers.close();
      expect(log.heard).toEqual([expect.objectContaining({ left: 2 })]);
      const outcomes = await Promise.allSettled(hangs);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      await signal('SIGCONT');
      await eventually(() => {
        expect(made.filter(({ threadId }) => threadId !== -1)).toEqual([]);
      });
    });

    it('others are served, and nothing more of it hangs', async () => {
      const hangs = Array.from({ length: 8 }, () => workers.hash(source, [PART]));
      const others = Array.from({ length: 8 }, () => workers.hash(NOTHING, [ZERO]));
      expect(new Set(await Promise.all(others))).toEqual(new Set([SHA256_OF_ZERO]));
      expect(made).toHaveLength(4);
      await signal('SIGCONT');
      expect(new Set(await Promise.all(hangs))).toEqual(new Set([SHA256_OF_PART]));
      await eventually(() => {
        // A thread that has ended has no number any more.
        expect(made.filter(({ threadId }) => threadId !== -1)).toHaveLength(2);
        return Promise.resolve();
      });
    });
  });

  it('take turns between storages, however much is asked of one', async () => {
    const order: string[] = [];
    const ask = async (name: string, storage: number) => {
      await workers.hash({ fd: 0, storage }, [{ hostOffset: null, length: 8 * MIB }]);
      order.push(name);
    };
    await Promise.all([...Array.from({ length: 20 }, () => ask('busy', 1)), ask('other', 2)]);
    expect(order.indexOf('other')).toBeLessThan(5);
  });
});
