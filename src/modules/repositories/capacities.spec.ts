import { describe, expect, it } from '@jest/globals';

import type { Capacity, LocalRepositoryStorage } from '#platform/repositories/local-repository-storage.port';

import { Capacities } from './capacities.js';

/** A disk that answers when the test wants it, at a time that the test sets. */
function diskByHand() {
  const asked: { answer: (availableBytes: number) => void; fail: () => void }[] = [];
  const capacity = () =>
    new Promise<Capacity>((resolve, reject) => {
      asked.push({
        answer: (availableBytes) => {
          resolve({ totalBytes: 100, usedBytes: 0, availableBytes, usedPercent: 0 });
        },
        fail: () => {
          reject(new Error('away'));
        },
      });
    });
  const time = { ms: 0 };
  const clock = { now: () => new Date(time.ms) };
  return { asked, time, capacities: new Capacities({ capacity } as unknown as LocalRepositoryStorage, clock) };
}

describe('the room of a directory', () => {
  it('is read once for all who ask while its disk has not answered', async () => {
    const { asked, time, capacities } = diskByHand();
    const readings = [capacities.of('/here'), capacities.of('/here', 1000)];
    time.ms = 3_600_000;
    readings.push(capacities.of('/here'));
    expect(asked).toHaveLength(1);
    asked[0]?.answer(7);
    for (const { at, capacity } of readings) {
      expect(at.getTime()).toBe(0);
      expect(await capacity).toMatchObject({ availableBytes: 7 });
    }
  });

  it('is read anew for whoever asks after the answer, unless an older one will do', async () => {
    const { asked, time, capacities } = diskByHand();
    const first = capacities.of('/here');
    asked[0]?.answer(7);
    await first.capacity;
    time.ms = 999;
    expect(capacities.of('/here', 1000)).toBe(first);
    const second = capacities.of('/here');
    asked[1]?.answer(8);
    expect(await second.capacity).toMatchObject({ availableBytes: 8 });
    time.ms = 1999;
    capacities.of('/here', 1000);
    asked[2]?.answer(9);
    expect(asked).toHaveLength(3);
  });

  it('is not taken from a time that a clock which was set back has not come to', async () => {
    const { asked, time, capacities } = diskByHand();
    time.ms = 3_600_000;
    const first = capacities.of('/here');
    asked[0]?.answer(7);
    await first.capacity;
    time.ms = 0;
    capacities.of('/here', 1000);
    asked[1]?.answer(8);
    expect(asked).toHaveLength(2);
  });

  it('is unknown where the directory is away, and of each directory by itself', async () => {
    const { asked, capacities } = diskByHand();
    const [here, there] = [capacities.of('/here'), capacities.of('/there')];
    asked[0]?.fail();
    asked[1]?.answer(7);
    expect(await here.capacity).toBeNull();
    expect(await there.capacity).toMatchObject({ availableBytes: 7 });
  });
});
