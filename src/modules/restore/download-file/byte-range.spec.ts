import { describe, expect, it } from '@jest/globals';

import { RangeNotSatisfiable } from '#platform/http/edge.errors';

import { byteRange } from './byte-range.js';

describe('a range of bytes', () => {
  it.each([
    ['bytes=0-9', { start: 0, end: 9 }],
    ['bytes=90-', { start: 90, end: 99 }],
    ['bytes=90-1000', { start: 90, end: 99 }],
    ['bytes=-10', { start: 90, end: 99 }],
    ['bytes=-1000', { start: 0, end: 99 }],
  ])('reads %s of 100 bytes', (header, range) => {
    expect(byteRange(header, 100)).toEqual(range);
  });

  it.each([undefined, 'bytes=-', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=9-1', 'bytes=a-b'])('ignores %s', (header) => {
    expect(byteRange(header, 100)).toBeNull();
  });

  it.each(['bytes=100-', 'bytes=-0', 'bytes=500-600'])('refuses %s of 100 bytes', (header) => {
    expect(() => byteRange(header, 100)).toThrow(RangeNotSatisfiable);
  });
});
