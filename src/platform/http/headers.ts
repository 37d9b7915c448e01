import type { AnswerHeader } from './answer-headers.js';
import type { RequestHeader } from './request-headers.js';
import type { RouteTraits } from './route.js';

const PARTIAL = 206;
const NOT_MODIFIED = 304;

export interface Documented {
  /** Headers that the route takes. */
  readonly taken: readonly RequestHeader[];
  /** Headers of its good answers. */
  readonly answered: { readonly always: readonly AnswerHeader[]; readonly sometimes: readonly AnswerHeader[] };
  /** Why it may refuse because of them. */
  readonly refusals: Readonly<Record<number, string>>;
}

/** What the API document says of the headers that the edge itself reads and writes, by what a route declares. */
export function documentedHeaders(
  traits: RouteTraits & { readonly mutates: boolean; readonly decides: boolean; readonly statuses: readonly number[] },
): Documented {
  const { mutates, decides, statuses, subject, creates } = traits;
  const waits = (traits.reads ?? []).length > 0;
  const taken: readonly (readonly [RequestHeader, boolean])[] = [
    ['X-Correlation-Id', true],
    ['Idempotency-Key', mutates],
    ['X-Reason', mutates],
    ['X-Min-Position', waits],
    ['If-Match', mutates && subject.length > 0 && !creates],
    ['If-None-Match', statuses.includes(NOT_MODIFIED)],
    ['Range', statuses.includes(PARTIAL)],
  ];
  return {
    taken: taken.flatMap(([name, isTaken]) => (isTaken ? [name] : [])),
    answered: {
      always: mutates ? ['X-Event-Position'] : [],
      sometimes: [
        ...(mutates ? (['X-Consistency', 'Idempotency-Replayed'] as const) : []),
        ...(subject.length > 0 ? (['ETag'] as const) : []),
      ],
    },
    refusals: {
      ...(waits && { 400: 'unknown-position, position-ahead-of-log', 503: 'read-models-behind' }),
      ...(decides && { 412: 'precondition-failed' }),
    },
  };
}
