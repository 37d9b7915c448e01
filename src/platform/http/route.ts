import { SetMetadata } from '@nestjs/common';

/** What the edge itself does for a route, beside calling its handler. */
export interface RouteTraits {
  /** Projections whose rows the answer is made of; null when the route doesn't say. */
  readonly reads: readonly string[] | null;
  /** Categories of the stream whose revision is the answer's `ETag`, and that `If-Match` speaks of. */
  readonly subject: readonly string[];
  /** True when the route makes that stream: nothing of it can have been seen before. */
  readonly creates: boolean;
}

export const ROUTE = 'oma:route';
export const HasTraits = (traits: RouteTraits) => SetMetadata(ROUTE, traits);

const SAFE = ['GET', 'HEAD', 'OPTIONS'];

/** Whether a request only looks. */
export function isSafe(request: { readonly method: string }): boolean {
  return SAFE.includes(request.method);
}
