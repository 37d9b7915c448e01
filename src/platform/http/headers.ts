import type { AnswerHeader } from './answer-headers.js';
import type { RouteTraits } from './route.js';

export interface Documented {
  /** Headers that the route takes. */
  readonly taken: readonly { readonly name: string; readonly about: string }[];
  /** Headers of its good answers. */
  readonly answered: { readonly always: readonly AnswerHeader[]; readonly sometimes: readonly AnswerHeader[] };
  /** Why it may refuse because of them. */
  readonly refusals: Readonly<Record<number, string>>;
}

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
      always: mutates ? ['X-Event-Position'] : [],
      sometimes: [
        ...(mutates ? (['X-Consistency', 'Idempotency-Replayed'] as const) : []),
        ...(subject.length > 0 ? (['ETag'] as const) : []),
      ],
    },
    refusals: {
      ...(waits && { 400: 'unknown-position, position-ahead-of-log', 503: 'read-models-behind' }),
      ...(mutates && { 412: 'precondition-failed' }),
    },
  };
}
