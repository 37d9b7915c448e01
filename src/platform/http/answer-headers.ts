import type { JsonSchema } from './json-schema.js';

/** Every header that an answer may have, beside those of the transport; `always` when it comes with each answer whose
 * route declares it. */
const HEADERS = {
  'X-Correlation-Id': {
    about: 'finds the request, or the first one of which it is a repeat, in the log and the audit trail',
    always: true,
  },
  'Cache-Control': { about: "answers are nobody else's and are not to be kept", always: true },
  'X-Content-Type-Options': { about: 'the media type is what Content-Type says', always: true },
  Location: { about: 'the job, or the thing that came to be', always: true },
  Link: { about: 'the next page (RFC 8288); missing on the last one', always: false },
  ETag: { about: 'W/"<revision>" of the stream behind it; send it as If-Match', always: false },
  'X-Event-Position': { about: 'position of what was decided; send it as X-Min-Position', always: true },
  'X-Accel-Buffering': { about: 'asks proxies to pass on what comes at once', always: true },
  'X-Consistency': { about: '"pending" when what was decided can not be read back yet', always: false },
  'Idempotency-Replayed': { about: '"true" when this is the first answer again', always: false },
  'Content-Disposition': { about: 'the name to keep it by (RFC 6266)', always: true },
  'Content-Range': { about: 'which bytes these are, of how many (RFC 9110)', always: true },
  'Accept-Ranges': { about: 'that ranges may be asked for', always: true },
  'Retry-After': { about: 'after how many seconds to ask again', always: true },
  'WWW-Authenticate': { about: 'how to authenticate (RFC 6750)', always: true },
} as const;

export type AnswerHeader = keyof typeof HEADERS;

const EVERYWHERE: readonly AnswerHeader[] = ['X-Correlation-Id', 'Cache-Control', 'X-Content-Type-Options'];

/** The headers of one answer, as the API document has them: those of every answer, `always` and `sometimes`. */
export function answerHeaders(
  always: readonly AnswerHeader[],
  sometimes: readonly AnswerHeader[] = [],
): Record<string, JsonSchema> {
  return Object.fromEntries([
    ...[...EVERYWHERE, ...always].map((name) => [name, { $ref: `#/components/headers/${name}` }] as const),
    ...sometimes.map((name) => [name, headerOf(name, false)] as const),
  ]);
}

/** All headers, for the API document to refer to. */
export function headerComponents(): Record<string, JsonSchema> {
  const names = Object.keys(HEADERS) as AnswerHeader[];
  return Object.fromEntries(names.map((name) => [name, headerOf(name, HEADERS[name].always)]));
}

function headerOf(name: AnswerHeader, required: boolean): JsonSchema {
  return { description: HEADERS[name].about, required, schema: { type: 'string' } };
}
