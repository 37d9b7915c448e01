import { describe, expect, it } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { MalformedRequest } from './edge.errors.js';
import { matchedRevisions, tellRevision } from './etag.js';

/** The headers of an answer, told its revision. */
function told(revision: number, options?: { readonly whole?: boolean }): Record<string, string> {
  const headers: Record<string, string> = {};
  const reply = { header: (name: string, value: string) => (headers[name] = value) };
  tellRevision(reply as unknown as FastifyReply, revision, options);
  return headers;
}

const matched = (tag: string) => matchedRevisions({ headers: { 'if-match': tag } } as unknown as FastifyRequest);

describe('the revision of a thing', () => {
  it('is told as its tag, and lets the answer be kept where that is all that is shown', () => {
    expect(told(3)).toEqual({ etag: 'W/"3"' });
    expect(told(0, { whole: true })).toEqual({ etag: 'W/"0"', 'cache-control': 'private, no-cache' });
  });

  it('is not told while its stream is empty: nobody could change the thing at that', () => {
    expect(told(-1, { whole: true })).toEqual({});
  });

  it.each([
    ['*', 'any'],
    ['W/"3"', [3n]],
    ['"3", W/"4"', [3n, 4n]],
    // Somebody's tag, though none of ours: nothing is at that.
    ['"abc"', []],
    ['W/"03"', []],
    ['W/"-1"', []],
  ] as const)('is presupposed by If-Match %s as %p', (tag, revisions) => {
    expect(matched(tag)).toEqual(revisions);
  });

  it.each(['', '3', '"3', '"3" "4"', '"3",'])('is not what If-Match "%s" speaks of', (tag) => {
    expect(() => matched(tag)).toThrow(MalformedRequest);
  });
});
