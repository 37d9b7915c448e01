import { describe, expect, it } from '@jest/globals';

import { UnknownCursor } from './edge.errors.js';
import { List } from './paging.js';

const cursorOf = (list: List) => list.page(['a', 'b', 'c'], (row) => [row]).next ?? '';

describe('a cursor', () => {
  const cursor = cursorOf(new List('jobs', { limit: 2, status: 'failed', type: 'backup' } as object));

  it.each([
    ['with another limit', { limit: 7, status: 'failed', type: 'backup' }],
    ['with the filters in another order', { type: 'backup', status: 'failed' }],
    ['with a filter that is not given', { status: 'failed', type: 'backup', actor: undefined }],
  ])('goes on where its list was %s', (_, asked) => {
    expect(new List('jobs', { ...asked, cursor }).after('text')).toEqual(['b']);
  });

  it.each([
    ['another list', 'backups', { status: 'failed', type: 'backup' }],
    ['other filters', 'jobs', { status: 'completed', type: 'backup' }],
    ['no filters', 'jobs', {}],
    ['more filters', 'jobs', { status: 'failed', type: 'backup', actor: 'x' }],
  ])('is refused by %s', (_, name, asked) => {
    expect(() => new List(name, { ...asked, cursor }).after('text')).toThrow(UnknownCursor);
  });

  it('is refused with anything behind it', () => {
    const asked = { status: 'failed', type: 'backup', cursor: `${cursor}~` };
    expect(() => new List('jobs', asked).after('text')).toThrow(UnknownCursor);
  });

  it('is refused where it has other parts than the list', () => {
    const asked = { status: 'failed', type: 'backup', cursor };
    expect(() => new List('jobs', asked).after('text', 'text')).toThrow(UnknownCursor);
    expect(() => new List('jobs', asked).after('moment')).toThrow(UnknownCursor);
  });

  it('comes with a page that is not the last', () => {
    expect(new List('jobs', { limit: 3 }).page(['a', 'b', 'c'], (row) => [row])).toEqual({
      rows: ['a', 'b', 'c'],
      next: null,
    });
    expect(new List('jobs', {}).after('text')).toBeNull();
  });
});
