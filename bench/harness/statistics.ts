/** The middle of the values, or the mean of the two in the middle. Throws without any value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('there is no median of no values');
  return (lower + upper) / 2;
}

/** The smallest and the largest of the values: their whole spread, nothing left out. */
export function spread(values: readonly number[]): { readonly low: number; readonly high: number } {
  return { low: Math.min(...values), high: Math.max(...values) };
}

/** Rounded to so many digits that count, so that tables and documents don't claim more than was measured. */
export function rounded(value: number, digits = 4): number {
  return Number(value.toPrecision(digits));
}

/** The value that so large a share of all values doesn't exceed. Throws without any value. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new Error('there is no percentile of no values');
  return value;
}
