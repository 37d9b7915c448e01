import { describe, expect, it } from '@jest/globals';

import { type BenchCase, growth, judge, speed } from './result.js';

const copying: BenchCase = {
  ...speed,
  name: 'copying',
  baseline: 'cp',
  goal: { is: 'at least', value: 0.9 },
};
const growing: BenchCase = {
  ...growth,
  name: 'growing',
  baseline: 'idle',
  goal: { is: 'at most', value: 60 },
};

describe('the judgement of a bench', () => {
  it('compares the median of the ratios of the pairs, not the ratio of the medians', () => {
    const pairs = [
      { ours: 1, baseline: 1 },
      { ours: 10, baseline: 8 },
      { ours: 4, baseline: 5 },
    ];
    expect(judge('backup', copying, pairs, true)).toEqual({
      bench: 'backup',
      case: 'copying',
      ours: 4,
      baseline: 5,
      unit: 's',
      ratio: 1,
      low: 0.8,
      high: 1.25,
      goal: 0.9,
      met: true,
    });
  });

  it('is met by the goal itself, and missed just below', () => {
    expect(judge('backup', copying, [{ ours: 10, baseline: 9 }], true).met).toBe(true);
    expect(judge('backup', copying, [{ ours: 10, baseline: 8.9 }], true).met).toBe(false);
  });

  it('lets the worst pair decide where the goal speaks of a peak', () => {
    const pairs = [
      { ours: 110, baseline: 100 },
      { ours: 120, baseline: 100 },
      { ours: 161, baseline: 100 },
    ];
    expect(judge('memory', growing, pairs, true)).toMatchObject({ ratio: 61, low: 10, high: 61, met: false });
    expect(judge('memory', growing, pairs.slice(0, 2), true)).toMatchObject({ ratio: 20, met: true });
  });

  it('is never met with sizes that are not those of the goal', () => {
    expect(judge('backup', copying, [{ ours: 1, baseline: 2 }], false)).toMatchObject({ ratio: 2, met: false });
  });
});
