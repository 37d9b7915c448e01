import { describe, expect, it } from '@jest/globals';

import type { Bench } from './bench.js';
import { readOrder } from './command-line.js';

const known: readonly Bench[] = ['one', 'two', 'three'].map((name) => ({
  name,
  about: '',
  cases: [],
  run: () => Promise.resolve(new Map()),
}));

describe('the command line of the benches', () => {
  it('runs nothing without a name, so that they can be listed', () => {
    expect(readOrder([], known)).toEqual({ benches: [], json: false, pairs: 10, scale: 1, dir: null });
  });

  it('runs what is named, each once, in an order of its own', () => {
    const { benches } = readOrder(['three', 'one', 'three'], known);
    expect(benches.map(({ name }) => name)).toEqual(['one', 'three']);
  });

  it('takes its options anywhere', () => {
    const args = ['--json', 'one', '--pairs', '3', '--scale=0.5', '--dir', '/scratch'];
    expect(readOrder(args, known)).toMatchObject({ json: true, pairs: 3, scale: 0.5, dir: '/scratch' });
  });

  it.each([
    [['four'], 'there is no bench four'],
    [['one', '--pairs', '0'], '--pairs'],
    [['one', '--pairs', '1.5'], '--pairs'],
    [['one', '--pairs', 'many'], '--pairs'],
    [['one', '--scale', '2'], '--scale'],
    [['one', '--scale', 'half'], '--scale'],
    [['--quick'], '--quick'],
  ])('refuses %j', (args, said) => {
    expect(() => readOrder(args, known)).toThrow(said);
  });
});
