import { describe, expect, it } from '@jest/globals';

import { Leftovers } from './leftovers.js';

describe('leftovers', () => {
  it('go in the order opposite to that in which they came, and only once', async () => {
    const gone: string[] = [];
    const leftovers = new Leftovers();
    for (const name of ['folder', 'server', 'client']) {
      leftovers.add(() => Promise.resolve(gone.push(name)));
    }
    await leftovers.clear();
    await leftovers.clear();
    expect(gone).toEqual(['client', 'server', 'folder']);
  });

  it('go on after one that could not be taken away, and name it', async () => {
    const gone: string[] = [];
    const leftovers = new Leftovers();
    leftovers.add(() => Promise.resolve(gone.push('folder')));
    leftovers.add(() => Promise.reject(new Error('the server does not end')));
    expect(await leftovers.clear()).toEqual(['the server does not end']);
    expect(gone).toEqual(['folder']);
  });
});
