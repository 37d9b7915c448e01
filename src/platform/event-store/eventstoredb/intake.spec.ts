import { PassThrough } from 'node:stream';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { Intake } from './intake.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('what a reading call of the client brings', () => {
  let call: PassThrough;
  let left: number;
  let intake: Intake<string>;

  const leave = () => {
    left += 1;
    return Promise.resolve();
  };
  /** What came, and the error that it ended with. */
  const taken = async () => {
    const items: string[] = [];
    try {
      for await (const item of intake.items(1000)) items.push(item);
      return { items, error: null };
    } catch (error) {
      return { items, error: (error as Error).message };
    }
  };

  beforeEach(() => {
    left = 0;
    call = new PassThrough({ objectMode: true });
    intake = new Intake<string>(call, leave, new AbortController().signal);
  });

  it('is all there when an error comes after the end, and the error troubles nobody', async () => {
    call.write('one');
    call.end('two');
    expect(await taken()).toEqual({ items: ['one', 'two'], error: null });
    call.emit('error', new Error('aborted'));
    await turn();
    expect(left).toBe(1);
  });

  it('ends with the first of two errors, after what had come before it', async () => {
    call.write('one');
    await turn();
    call.emit('error', new Error('consumer too slow'));
    call.emit('error', new Error('aborted'));
    expect(await taken()).toEqual({ items: ['one'], error: 'consumer too slow' });
    call.emit('error', new Error('aborted once more'));
    await turn();
    expect(left).toBe(1);
  });

  it('may end with an error that comes when nobody reads any more', async () => {
    call.write('one');
    const items = intake.items(1000);
    expect(await items.next()).toEqual({ done: false, value: 'one' });
    await items.return(undefined);
    call.destroy(new Error('aborted'));
    await turn();
    expect(await taken()).toEqual({ items: [], error: 'aborted' });
  });

  it('is missed when the call is closed before it ended', async () => {
    call.write('one');
    call.destroy();
    expect((await taken()).error).toBe('the connection to the event store was given up');
  });
});
