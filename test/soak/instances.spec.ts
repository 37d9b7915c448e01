import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { seededRandom } from '../kit/seeded-random.js';
import { Truths } from './instances/truths.js';
import { TwoInstances } from './instances/two-instances.js';
import { type Kind, Writer } from './instances/writers.js';
import { soakSettings, tell } from './settings.js';

const SAMPLE_SECONDS = 10;
const MINUTES = 30;
const WRITERS = 24;
const COMMANDS: readonly Kind[] = ['repository', 'credential', 'user', 'vm', 'repository', 'credential'];

describe('two instances on one database', () => {
  const { count: seconds, seed } = soakSettings(SAMPLE_SECONDS);
  const ends: (() => Promise<void>)[] = [];
  let world: TwoInstances;
  let truths: Truths;

  beforeAll(async () => {
    world = await TwoInstances.open();
    ends.unshift(() => world.close());
    truths = await Truths.open(world);
    ends.unshift(() => truths.close());
  }, 120_000);

  afterAll(async () => {
    for (const end of ends) await end();
  }, 120_000);

  it(
    `killed at random for ${seconds} s under ${WRITERS} writers, seed ${seed}: nothing is lost, doubled or repeated`,
    async () => {
      const until = Date.now() + seconds * 1000;
      const isOver = () => Date.now() >= until;
      const writers = Array.from({ length: WRITERS }, (_, index) => {
        const kinds: readonly Kind[] = index < 6 ? ['backup'] : index < 8 ? ['mount'] : COMMANDS;
        return new Writer(world.place, seededRandom(seed + index + 1), kinds);
      });
      await Promise.all([
        world.killAtRandom(seededRandom(seed), isOver),
        ...writers.map((writer) => writer.write(isOver)),
      ]);
      await world.settle().catch((error: unknown) => {
        truths.blame('not everything comes to its end', [String(error)]);
      });
      truths.blame(
        'a command was refused as if it had been done before',
        writers.flatMap((writer) => writer.wronglyRefused),
      );
      truths.blame(
        'a command that was sent once more got another answer',
        writers.flatMap((writer) => writer.answeredOtherwise),
      );
      const { wrong, counts } = await truths.look(writers.flatMap((writer) => writer.acknowledged));
      const sum = (of: (writer: Writer) => number) => writers.reduce((total, writer) => total + of(writer), 0);
      const told = {
        seconds,
        kills: world.killedAtMs.length,
        'commands sent': sum((writer) => writer.counts.sent),
        'offered again': sum((writer) => writer.counts.again),
        'sent once more after their answer': sum((writer) => writer.counts.repeated),
        refused: sum((writer) => writer.counts.refused),
        ...counts,
        wrong: wrong.length,
      };
      tell(
        `instances: ${Object.entries(told)
          .map(([what, times]) => `${what} ${times}`)
          .join(', ')}`,
      );
      if (wrong.length > 0) tell(`seed ${seed}:\n${wrong.join('\n')}`);
      expect(wrong).toEqual([]);
    },
    MINUTES * 60_000,
  );
});
