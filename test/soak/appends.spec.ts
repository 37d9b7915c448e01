import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { AppendWorld } from './appends/append-world.js';
import { soakSettings, tell } from './settings.js';

const SAMPLE = 6;
const MINUTES = 60;
const TELL_EVERY = 25;

describe('appends', () => {
  const { count, seed: first } = soakSettings(SAMPLE);
  let world: AppendWorld;
  beforeAll(async () => {
    world = await AppendWorld.open();
  }, 120_000);
  afterAll(async () => {
    await world.close();
  }, 120_000);

  it(
    `${count} kills of 24 writers and of their database, from seed ${first}: what was acknowledged is there, once`,
    async () => {
      const victims = new Map<string, number>();
      for (let done = 0; done < count; done += 1) {
        const victim = await world.kill(first + done);
        victims.set(victim, (victims.get(victim) ?? 0) + 1);
        if ((done + 1) % TELL_EVERY === 0) tell(`${done + 1} of ${count} kills`);
      }
      const counted = await world.count();
      const met = [...victims].map(([victim, times]) => `${victim} ${times}`).join(', ');
      tell(`appends: ${count} kills (${met}); ${JSON.stringify(counted)}`);
      expect(counted).toMatchObject({ lost: 0, doubled: 0, skipped: 0, holes: 0 });
    },
    MINUTES * 60_000,
  );
});
