import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import { unlessAborted } from './unless-aborted.js';

/** What it has come to by the next turn, without waiting for what hangs. */
const soon = <Result>(work: Promise<Result>) => Promise.race([work, nextTurn('hangs')]);
const hanging = () => new Promise<string>(() => undefined);

describe('what is waited for unless a signal is aborted', () => {
  it('is the result when that comes first', async () => {
    expect(await soon(unlessAborted(Promise.resolve('done'), new AbortController().signal))).toBe('done');
  });

  it('is its failure when that comes first', async () => {
    const failing = unlessAborted(Promise.reject(new Error('broken')), new AbortController().signal);
    await expect(failing).rejects.toThrow('broken');
  });

  it('is given up when the signal is aborted meanwhile', async () => {
    const controller = new AbortController();
    const waiting = unlessAborted(hanging(), controller.signal);
    expect(await soon(waiting)).toBe('hangs');
    controller.abort();
    expect(await soon(waiting)).toBeNull();
  });

  it('is given up at once when the signal was aborted before', async () => {
    expect(await soon(unlessAborted(hanging(), AbortSignal.abort()))).toBeNull();
  });

  it('leaves no listener behind', async () => {
    const { signal } = new AbortController();
    await unlessAborted(Promise.resolve(), signal);
    await nextTurn();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
