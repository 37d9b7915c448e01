import { describe, expect, it } from '@jest/globals';

import { interleaved } from './pairs.js';

describe('interleaved pairs', () => {
  const context = { pairs: 3, signal: new AbortController().signal, tell: () => undefined };

  it('changes who begins with every pair, and does not count the first pair', async () => {
    const order: string[] = [];
    const side = (name: string) => () => {
      order.push(name);
      return Promise.resolve(order.length);
    };
    const measured = await interleaved(context, {
      ours: side('ours'),
      theirs: side('theirs'),
      compare: () => Promise.resolve(),
      describe: () => '',
    });
    expect(order).toEqual(['theirs', 'ours', 'ours', 'theirs', 'theirs', 'ours', 'ours', 'theirs']);
    expect(measured).toEqual([
      { ours: 3, theirs: 4 },
      { ours: 6, theirs: 5 },
      { ours: 7, theirs: 8 },
    ]);
  });

  it('ends when the two sides made different things', async () => {
    const measured = interleaved(context, {
      ours: () => Promise.resolve('a'),
      theirs: () => Promise.resolve('b'),
      compare: ({ ours, theirs }) => (ours === theirs ? Promise.resolve() : Promise.reject(new Error('different'))),
      describe: () => '',
    });
    await expect(measured).rejects.toThrow('different');
  });
});
