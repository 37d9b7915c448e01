import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import { AtMostEvery } from './at-most-every.js';

describe('what is done at most every so often', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const counted = (everyMs: number, takesMs: number) => {
    const seen = { begun: 0, ended: 0 };
    const throttled = new AtMostEvery(everyMs, async () => {
      seen.begun += 1;
      await new Promise((resolve) => setTimeout(resolve, takesMs));
      seen.ended += 1;
    });
    return { throttled, seen };
  };

  it('is done once for all who ask within that time, and again for who asks later', async () => {
    const { throttled, seen } = counted(50, 1);
    for (let asked = 0; asked < 5; asked += 1) throttled.ask();
    await jest.advanceTimersByTimeAsync(2);
    expect(seen).toEqual({ begun: 1, ended: 1 });
    throttled.ask();
    throttled.ask();
    await jest.advanceTimersByTimeAsync(45);
    expect(seen.begun).toBe(1);
    await jest.advanceTimersByTimeAsync(10);
    expect(seen).toEqual({ begun: 2, ended: 2 });
    await jest.advanceTimersByTimeAsync(1000);
    expect(seen.begun).toBe(2);
  });

  it('is never done twice at a time, however long it takes, and nothing asked for is left out', async () => {
    const { throttled, seen } = counted(5, 30);
    throttled.ask();
    await jest.advanceTimersByTimeAsync(1);
    throttled.ask();
    await jest.advanceTimersByTimeAsync(20);
    expect(seen).toEqual({ begun: 1, ended: 0 });
    throttled.ask();
    await jest.advanceTimersByTimeAsync(50);
    expect(seen).toEqual({ begun: 2, ended: 2 });
    await jest.advanceTimersByTimeAsync(1000);
    expect(seen.begun).toBe(2);
  });

  it('is waited for when it is stopped, and not begun any more', async () => {
    const { throttled, seen } = counted(5, 30);
    throttled.ask();
    await jest.advanceTimersByTimeAsync(1);
    throttled.ask();
    const stopped = throttled.stop();
    await jest.advanceTimersByTimeAsync(100);
    await stopped;
    expect(seen).toEqual({ begun: 1, ended: 1 });
  });
});
