import type { JsonSchema } from './json-schema.js';

/** Ids that callers choose. */
export const CALLERS_ID = /^[A-Za-z0-9_.:-]{1,128}$/;
export const MAX_REASON = 500;

const TAG = '(W/)?"[!#-~]*"';

/** Every header that the edge itself reads, as callers may write it. */
const HEADERS = {
  'X-Correlation-Id': {
    about:
      'common to all that follows from the request; whatever does not fit is replaced, and the answer says by what; a repeat has that of the answer it repeats',
    schema: { pattern: CALLERS_ID.source },
  },
  'X-Reason': {
    about: 'why, in UTF-8: it stands in the audit trail, with the event that the request itself leads to',
    schema: { maxLength: MAX_REASON },
  },
  'Idempotency-Key': {
    about: 'the same key gets the first answer, for 24 hours and from the same user',
    schema: { pattern: CALLERS_ID.source },
  },
  'X-Min-Position': {
    about: 'answer only from rows that have passed this position',
    schema: { minLength: 1, maxLength: 128 },
  },
  'If-Match': {
    about: 'the ETag seen last, several, or *; 412 when it was changed since',
    schema: { pattern: `^(\\*|${TAG}(, *${TAG})*)$` },
  },
  'If-None-Match': {
    about: 'the ETag of what the caller has, several, or *; 304 when it is still that',
    schema: { pattern: `^(\\*|${TAG}(, *${TAG})*)$` },
  },
  Range: {
    about: 'one range of bytes (RFC 9110); anything else is ignored',
    schema: { pattern: '^bytes=(\\d+-\\d*|-\\d+)$' },
  },
} as const satisfies Readonly<Record<string, { readonly about: string; readonly schema: JsonSchema }>>;

export type RequestHeader = keyof typeof HEADERS;

/** How a route refers to one of them in the API document. */
export function requestHeaderRef(name: RequestHeader): JsonSchema {
  return { $ref: `#/components/parameters/${name}` };
}

export function isRequestHeader(name: string): name is RequestHeader {
  return name in HEADERS;
}

/** All of them, for the API document to refer to. */
export function parameterComponents(): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(HEADERS).map(([name, { about, schema }]) => [
      name,
      { name, in: 'header', required: false, description: about, schema: { type: 'string', ...schema } },
    ]),
  );
}
