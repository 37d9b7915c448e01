import { describe, expect, it } from '@jest/globals';

import { AnswerNotAsDocumented, ApiDocument, type SeenAnswer } from '../kit/api-document.js';
import { eventually } from '../kit/eventually.js';

const problem = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
const DOCUMENT = {
  paths: {
    '/things/{id}': {
      get: {
        responses: {
          200: {
            headers: { ETag: { $ref: '#/components/headers/ETag' }, Link: { required: false } },
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
          },
          304: { headers: { ETag: { required: true } } },
          404: { $ref: '#/components/responses/no-thing' },
        },
      },
    },
    '/things/bytes': {
      get: {
        responses: {
          200: { content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } },
        },
      },
    },
  },
  components: {
    headers: { ETag: { required: true } },
    responses: { 'no-thing': { content: problem } },
    schemas: {
      Thing: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'seen_at'],
        properties: {
          name: { type: 'string' },
          seen_at: { type: ['string', 'null'], format: 'date-time' },
          kind: { type: 'string', enum: ['round', 'square'] },
        },
      },
      Problem: { type: 'object', required: ['code'], properties: { code: { type: 'string' } } },
    },
  },
};
const document = new ApiDocument(DOCUMENT);
const thing = { name: 'one', seen_at: '2026-01-01T00:00:00.000Z', kind: 'round' };

function answer(body: object | null, changes: Partial<SeenAnswer> = {}, headers: Record<string, string> = {}) {
  const sent: Record<string, string> = { 'content-type': 'application/json; charset=utf-8', etag: '"1"', ...headers };
  const kept = Object.entries(sent).filter(([, value]) => value !== '');
  return {
    method: 'GET',
    path: '/things/7?limit=1',
    status: 200,
    headers: new Headers(kept),
    text: body === null ? '' : JSON.stringify(body),
    ...changes,
  };
}

function faultOf(seen: SeenAnswer): string | null {
  try {
    document.check(seen);
    return null;
  } catch (error) {
    return error instanceof AnswerNotAsDocumented ? error.why : String(error);
  }
}

describe('the comparison of answers with the API document', () => {
  it.each([
    ['an answer that is as documented', answer(thing)],
    ['null where it may be', answer({ ...thing, seen_at: null })],
    ['a field left out that is optional', answer({ name: 'one', seen_at: null })],
    ['a header that may be there', answer(thing, {}, { link: '</things>; rel="next"' })],
    ['an answer without a body', answer(null, { status: 304 }, { 'content-type': '' })],
    [
      'a refusal',
      answer({ code: 'no-thing' }, { status: 404 }, { 'content-type': 'application/problem+json', etag: '' }),
    ],
    [
      'bytes, which it does not look at',
      answer(null, { path: '/things/bytes' }, { 'content-type': 'application/octet-stream', etag: '' }),
    ],
    [
      'what has no route and is refused as such',
      answer(
        { code: 'unknown-route' },
        { path: '/nothing', status: 404 },
        { 'content-type': 'application/problem+json' },
      ),
    ],
  ])('bears %s', (_, seen) => {
    expect(faultOf(seen)).toBeNull();
  });

  it.each([
    ['a field that is missing', answer({ seen_at: null }), "must have required property 'name'"],
    ['a field that is not documented', answer({ ...thing, extra: 1 }), 'must NOT have additional properties'],
    ['a field of another type', answer({ ...thing, name: 5 }), '/name must be string'],
    ['null where it must not be', answer({ ...thing, name: null }), '/name must be string'],
    ['a moment that is none', answer({ ...thing, seen_at: 'yesterday' }), '/seen_at must match format "date-time"'],
    ['a text that is none of its few', answer({ ...thing, kind: 'flat' }), '/kind must be equal to one of the allowed'],
    ['a status that is not documented', answer(thing, { status: 202 }), 'this status is none of GET /things/{id}'],
    ['a method that is not documented', answer(thing, { method: 'POST' }), 'there is no such route'],
    ['another media type', answer(thing, {}, { 'content-type': 'text/html' }), 'its media type is text/html'],
    ['no media type', answer(thing, {}, { 'content-type': '' }), 'it has no body'],
    ['a body where none is documented', answer(thing, { status: 304 }), 'documented is none'],
    ['a header that is missing', answer(thing, {}, { etag: '' }), 'it lacks ETag'],
    ['a header that is not documented', answer(thing, {}, { 'x-more': '1' }), 'x-more is not documented'],
    [
      'a route that is not documented and answers',
      answer({ code: 'no-thing' }, { path: '/nothing', status: 404 }, { 'content-type': 'application/problem+json' }),
      'there is no such route',
    ],
  ])('refuses %s', (_, seen, why) => {
    expect(faultOf(seen)).toContain(why);
  });

  it('fails at once, also where a test would ask again', async () => {
    let asked = 0;
    const probe = () => {
      asked++;
      document.check(answer(thing, { status: 500 }));
    };
    await expect(eventually(probe)).rejects.toThrow('GET /things/7?limit=1 answered 500');
    expect(asked).toBe(1);
  });
});
