/** The code of a system error (`EEXIST`). Not by `instanceof`: errors of Node itself are of another realm under Jest. */
export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
