import { describe, expect, it } from '@jest/globals';

import { median, percentile, rounded, spread } from './statistics.js';

describe('statistics', () => {
  it('takes the middle of an odd number of values, whatever their order', () => {
    expect(median([9, 1, 5])).toBe(5);
  });

  it('takes the mean of the two in the middle of an even number', () => {
    expect(median([4, 1, 2, 100])).toBe(3);
  });

  it('leaves the given values in their order', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });

  it('refuses to name the middle of nothing', () => {
    expect(() => median([])).toThrow('no values');
  });

  it('takes as a percentile the value that so many of all do not exceed', () => {
    const values = Array.from({ length: 20 }, (_, index) => 20 - index);
    expect(percentile(values, 0.95)).toBe(19);
    expect(percentile(values, 1)).toBe(20);
    expect(percentile([7], 0.95)).toBe(7);
    expect(() => percentile([], 0.5)).toThrow('no values');
  });

  it('spreads from the smallest to the largest', () => {
    expect(spread([2, 0.5, 3])).toEqual({ low: 0.5, high: 3 });
  });

  it('rounds to digits that count, for large and small numbers alike', () => {
    expect(rounded(0.000123456)).toBe(0.0001235);
    expect(rounded(123456789)).toBe(123500000);
  });
});
