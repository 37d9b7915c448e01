import type { RouteTraits } from './route.js';

interface Documented {
  /** Headers that the route takes. */
  readonly taken: readonly { readonly name: string; readonly about: string }[];
  /** Headers of its answers. */
  readonly answered: Readonly<
    Record<string, { readonly description: string; readonly schema: { readonly type: 'string' } }>
  >;
  /** Why it may refuse because of them. */
  readonly refusals: Readonly<Record<number, string>>;
}

const text = (description: string) => ({ description, schema: { type: 'string' } }) as const;

/** What the API document says of the headers that the edge itself reads and writes, by what a route declares. */
export function documentedHeaders(traits: RouteTraits & { readonly mutates: boolean }): Documented {
  const { mutates, subject, creates } = traits;
  const waits = (traits.reads ?? []).length > 0;
  const matches = mutates && subject.length > 0 && !creates;
  return {
    taken: [
      ...(mutates ? [{ name: 'Idempotency-Key', about: 'the same key gets the first answer' }] : []),
      ...(waits ? [{ name: 'X-Min-Position', about: 'answer only from rows that have passed this position' }] : []),
      ...(matches ? [{ name: 'If-Match', about: 'the ETag seen last; 412 when it was changed since' }] : []),
    ],
    answered: {
      ...(mutates && {
        'X-Event-Position': text('position of what was decided; send it as X-Min-Position'),
        'X-Consistency': text('"pending" when it can not be read back yet'),
      }),
      ...(subject.length > 0 && { ETag: text('W/"<revision>" of the stream behind it; send it as If-Match') }),
    },
    refusals: {
      ...(waits && { 400: 'unknown-position, position-ahead-of-log', 503: 'read-models-behind' }),
      ...(mutates && { 412: 'precondition-failed' }),
    },
  };
}
