import { describe, expect, it } from '@jest/globals';
import type { FastifyRequest } from 'fastify';

import { rawQuery } from './raw-query.js';

describe('a query parameter as bytes', () => {
  const path = (url: string) => rawQuery({ url } as FastifyRequest, 'path')?.toString('latin1') ?? null;

  it.each([
    ['a plain one', '/files?path=/etc', '/etc'],
    ['one behind others', '/files?limit=5&path=/etc', '/etc'],
    ['one that is no text', '/files?path=%ff', '\xff'],
    ['blanks', '/files?path=a+b%20c%2B', 'a b c+'],
    ['one with an equals sign', '/files?path=a=b', 'a=b'],
    ['one whose name is percent-encoded', '/files?pa%74h=/etc', '/etc'],
    ['one whose whole name is', '/files?%70%61%74%68=/etc', '/etc'],
    ['one without a value', '/files?path', ''],
    ['one behind a number sign, where the router looks too', '/files#path=/etc', '/etc'],
    ['one that has one', '/files?path=/a#b', '/a#b'],
  ])('reads %s', (_what, url, expected) => {
    expect(path(url)).toBe(expected);
  });

  it.each(['/files', '/files?', '/files?xpath=/etc', '/files?path%=/etc', '/files?path2=/etc', '/files?limit=path=1'])(
    'finds none in %s',
    (url) => {
      expect(path(url)).toBeNull();
    },
  );
});
