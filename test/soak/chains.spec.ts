import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { ChainWorld } from './chains/chain-world.js';
import { type Operation, operationsOf } from './chains/operations.js';
import { soakSettings, tell } from './settings.js';

const SAMPLE = 6;
const MINUTES = 120;
const TELL_EVERY = 50;

/** A sequence that went wrong, and the shortest one found that still does. */
interface Failure {
  readonly seed: number;
  readonly error: unknown;
  readonly operations: readonly Operation[];
}

describe('chains', () => {
  const { count, seed: first, workers } = soakSettings(SAMPLE);
  const worlds: { readonly world: ChainWorld; readonly disks: number }[] = [];
  beforeAll(async () => {
    for (let number = 0; number < Math.min(workers, count); number += 1) {
      const disks = 1 + (number % 2);
      worlds.push({ world: await ChainWorld.open(number, disks), disks });
    }
  }, 120_000);
  afterAll(async () => {
    for (const { world } of worlds) await world.close();
  }, 120_000);

  it(
    `restore bit-identical after each of ${count} random sequences from seed ${first}`,
    async () => {
      const seeds = Array.from({ length: count }, (_, index) => first + index);
      const done = { sequences: 0, operations: 0, backups: 0 };
      const failures: Failure[] = [];
      const work = async ({ world, disks }: (typeof worlds)[number]) => {
        for (let seed = seeds.shift(); seed !== undefined && failures.length === 0; seed = seeds.shift()) {
          const operations = operationsOf(seed, disks);
          const error = await attempt(world, operations, seed);
          if (error !== null) failures.push(await shortest(world, { seed, error, operations }));
          done.sequences += 1;
          done.operations += operations.length;
          done.backups += operations.filter((one) => one.do === 'backup').length;
          if (done.sequences % TELL_EVERY === 0) tell(`${done.sequences} of ${count} sequences`);
        }
      };
      await Promise.all(worlds.map(work));
      for (const { seed, error, operations } of failures) {
        tell(`seed ${seed}: ${String(error)}\n${operations.map((one) => JSON.stringify(one)).join('\n')}`);
      }
      tell(
        `chains: ${done.sequences} sequences, ${done.operations} operations, ${done.backups} backups, ${failures.length} failed`,
      );
      expect(failures).toEqual([]);
    },
    MINUTES * 60_000,
  );
});

async function attempt(world: ChainWorld, operations: readonly Operation[], seed: number): Promise<unknown> {
  try {
    await world.run(operations, seed);
    return null;
  } catch (error) {
    return error;
  }
}

/** Leaves out one operation after the other for as long as it still goes wrong. */
async function shortest(world: ChainWorld, failure: Failure): Promise<Failure> {
  let least = failure;
  for (let index = failure.operations.length - 1; index >= 0; index -= 1) {
    const fewer = least.operations.filter((_, at) => at !== index);
    const error = await attempt(world, fewer, failure.seed);
    if (error !== null) least = { ...least, error, operations: fewer };
  }
  return least;
}
