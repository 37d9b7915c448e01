import { describe, expect, it } from '@jest/globals';

import { OneOf, Text } from './fields.js';
import { PageRequest } from './paging.js';
import { RequestPipe } from './request.pipe.js';

class ListThingsRequest extends PageRequest {
  @OneOf({ about: 'only in this state', of: ['open', 'shut'], optional: true })
  readonly state?: string;

  @Text({ about: 'only of this name', max: 1000, optional: true })
  readonly name?: string;
}

class ListOthersRequest extends PageRequest {}

describe('the check of queries', () => {
  const pipe = new RequestPipe();
  const check = (query: object, metatype: new () => object = ListThingsRequest) =>
    pipe.transform(query, { type: 'query', metatype }) as Promise<ListThingsRequest>;

  it('gives the same request for the same query, and another one for another', async () => {
    const request = await check({ state: 'open', limit: '7' });
    expect(request).toMatchObject({ state: 'open', limit: 7 });
    expect(await check({ state: 'open', limit: '7' })).toBe(request);
    expect(await check({ state: 'shut', limit: '7' })).toMatchObject({ state: 'shut' });
    expect(await check({})).toMatchObject({ limit: 100 });
  });

  it('gives what nobody can change for those who ask the same', async () => {
    const request = (await check({ state: 'open' })) as { state?: string };
    expect(() => {
      request.state = 'shut';
    }).toThrow(TypeError);
    expect(await check({ state: 'open' })).toMatchObject({ state: 'open' });
  });

  it('tells queries apart by their route', async () => {
    await check({ state: 'open' });
    await expect(check({ state: 'open' }, ListOthersRequest)).rejects.toThrow('state: is not known here');
  });

  it.each<[string, object]>([
    ['an unknown filter', { colour: 'red' }],
    ['a word that is none of the known', { state: `open' or '1'='1` }],
    ['a filter twice', { state: ['open', 'shut'] }],
    ['a filter with parts', { state: { $ne: 'open' } }],
    ['a limit that is no number', { limit: '7; drop table job' }],
    ['what would be everybody’s', JSON.parse('{"__proto__":{"state":"open"}}') as object],
    ['a name of every object', { constructor: 'open' }],
    ['a filter with NUL', { name: 'a\0b' }],
  ])('refuses %s, every time', async (_what, query) => {
    for (let often = 0; often < 3; often += 1) {
      await expect(check(query)).rejects.toMatchObject({ code: 'malformed-request' });
    }
    expect(({} as Record<string, unknown>)['state']).toBeUndefined();
  });

  it('goes on with a good query after a bad one that reads like it', async () => {
    await expect(check({ state: 'none' })).rejects.toThrow('state:');
    expect(await check({ state: 'open' })).toMatchObject({ state: 'open' });
  });

  it('keeps no long query, and no more of them than there is room for', async () => {
    const long = { name: 'x'.repeat(400) };
    expect(await check(long)).not.toBe(await check(long));
    const first = await check({ name: 'first' });
    expect(await check({ name: 'first' })).toBe(first);
    for (let number = 0; number < 600; number += 1) await check({ name: `other-${number}` });
    expect(await check({ name: 'first' })).not.toBe(first);
    expect(await check({ name: 'first' })).toEqual(first);
  });
});
