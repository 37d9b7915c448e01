import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { KillWorld } from './kills/kill-world.js';
import { soakSettings, tell } from './settings.js';

const SAMPLE = 4;
const MINUTES = 120;
const TELL_EVERY = 25;

describe('kills', () => {
  const { count, seed: first, workers } = soakSettings(SAMPLE);
  const worlds: KillWorld[] = [];
  beforeAll(async () => {
    for (let number = 0; number < Math.min(workers, count); number += 1) worlds.push(await KillWorld.open(number));
  }, 120_000);
  afterAll(async () => {
    for (const world of worlds) await world.close();
  }, 120_000);

  it(
    `${count} times at a random moment, from seed ${first}: everything is over within 60 s and nothing is left`,
    async () => {
      const seeds = Array.from({ length: count }, (_, index) => first + index);
      const failures: { readonly seed: number; readonly error: unknown }[] = [];
      const ends = new Map<string, number>();
      let done = 0;
      const work = async (world: KillWorld) => {
        for (let seed = seeds.shift(); seed !== undefined && failures.length === 0; seed = seeds.shift()) {
          const current = seed;
          const end = await world.kill(current).catch((error: unknown) => {
            failures.push({ seed: current, error });
            return 'wrong';
          });
          ends.set(end, (ends.get(end) ?? 0) + 1);
          done += 1;
          if (done % TELL_EVERY === 0) tell(`${done} of ${count} kills`);
        }
      };
      await Promise.all(worlds.map(work));
      for (const { seed, error } of failures) tell(`seed ${seed}: ${String(error)}`);
      const counts = [...ends].map(([end, times]) => `${end} ${times}`).join(', ');
      tell(`kills: ${done}, ${failures.length} failed; ${counts}`);
      expect(failures).toEqual([]);
    },
    MINUTES * 60_000,
  );
});
