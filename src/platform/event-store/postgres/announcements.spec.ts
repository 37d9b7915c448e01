import { describe, expect, it } from '@jest/globals';

import { Announcements } from './announcements.js';

describe('telling others that the log has grown', () => {
  const telling = (processId: number | null) => {
    const asked: string[] = [];
    const query = ({ text }: { readonly text: string }) => {
      asked.push(text);
      return Promise.resolve([]);
    };
    return { asked, announcements: new Announcements({ query, processId }, () => undefined) };
  };

  it('is done over the connection that appends go through', async () => {
    const { asked, announcements } = telling(7);
    announcements.stored(false);
    await announcements.settle();
    expect(asked).toEqual([expect.stringContaining('pg_notify')]);
  });

  it('makes no connection anew, for which appends would have to wait, and is over all the same', async () => {
    const { asked, announcements } = telling(null);
    announcements.stored(false);
    await announcements.tell();
    await announcements.settle();
    expect(asked).toEqual([]);
    expect(announcements.isDue).toBe(false);
  });
});
