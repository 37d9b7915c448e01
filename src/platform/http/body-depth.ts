import { MalformedRequest } from './edge.errors.js';

/** No request has more levels than a few; what walks through a body by recursion must not meet a hundred thousand. */
const MOST_LEVELS = 16;

/** Throws MalformedRequest. */
export function refuseDeepBody(body: unknown): void {
  if (!isDeeperThan(body, MOST_LEVELS)) return;
  throw new MalformedRequest([{ field: '(body)', message: `must not be nested deeper than ${MOST_LEVELS} levels` }]);
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1));
}
