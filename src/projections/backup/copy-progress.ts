const ALMOST = 99;
const MIN_BYTES_PER_SECOND = 1;

/** Whole per cent, rounded down; 100 belongs to what is completed alone. */
export function percentOf(status: string, transferred: number, toCopy: number): number {
  if (status === 'completed') return 100;
  return toCopy === 0 ? 0 : Math.min(ALMOST, Math.floor((transferred / toCopy) * 100));
}

/** Seconds until the rest is copied at this rate; null where there is none. */
export function etaSeconds(restBytes: number, bytesPerSecond: number): number | null {
  return bytesPerSecond < MIN_BYTES_PER_SECOND ? null : Math.ceil(Math.max(0, restBytes) / bytesPerSecond);
}

export function sumOf<One>(all: readonly One[], of: (one: One) => number): number {
  return all.reduce((sum, one) => sum + of(one), 0);
}
