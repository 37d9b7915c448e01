import { median, rounded, spread } from './statistics.js';

/** One measurement of each side, in the unit of the case, taken one right after the other. */
export interface Pair {
  readonly ours: number;
  readonly baseline: number;
}

/** One thing that is measured, and what it is measured against. */
export interface BenchCase {
  readonly name: string;
  /** How to repeat the other side: a command line. */
  readonly baseline: string;
  readonly unit: 's' | 'ms' | 'MB' | 'bytes';
  /** The number that the goal speaks of, of one pair; the median over all pairs is compared with the goal. */
  compared(pair: Pair): number;
  /** What `compared` is, in words. */
  readonly comparedIs: string;
  readonly goal: { readonly is: 'at least' | 'at most'; readonly value: number };
  /** True where not the median but the worst pair has to reach the goal, since the goal speaks of a peak. */
  readonly worstCounts?: boolean;
}

/** What a bench found out about one case, as `--json` prints it. `ours` and `baseline` are medians, in `unit`. */
export interface Result {
  readonly bench: string;
  readonly case: string;
  readonly ours: number;
  readonly baseline: number;
  readonly unit: string;
  /** The number that is compared with the goal. */
  readonly ratio: number;
  /** Its smallest value of all pairs. */
  readonly low: number;
  /** Its largest value of all pairs. */
  readonly high: number;
  readonly goal: number;
  readonly met: boolean;
}

/** How many times faster than the baseline: seconds of the baseline divided by our seconds. */
export const speed = {
  unit: 's',
  comparedIs: 'baseline / ours',
  compared: ({ ours, baseline }: Pair) => baseline / ours,
} as const;

/** How many times as long as the baseline, for what takes milliseconds. */
export const delay = {
  unit: 'ms',
  comparedIs: 'ours / baseline',
  compared: ({ ours, baseline }: Pair) => ours / baseline,
} as const;

/** How much more memory than the baseline, in MB; the goal speaks of the peak, so the worst pair counts. */
export const growth = {
  unit: 'MB',
  comparedIs: 'ours - baseline (MB)',
  compared: ({ ours, baseline }: Pair) => ours - baseline,
  worstCounts: true,
} as const;

/** Judges the pairs of a case. Where they don't count, because the sizes were not those of the goal, nothing is met. */
export function judge(bench: string, one: BenchCase, pairs: readonly Pair[], counts: boolean): Result {
  const compared = pairs.map((pair) => one.compared(pair));
  const { low, high } = spread(compared);
  const upwards = one.goal.is === 'at least';
  const worst = upwards ? low : high;
  const ratio = one.worstCounts === true ? worst : median(compared);
  const reached = upwards ? ratio >= one.goal.value : ratio <= one.goal.value;
  return {
    bench,
    case: one.name,
    ours: rounded(median(pairs.map((pair) => pair.ours))),
    baseline: rounded(median(pairs.map((pair) => pair.baseline))),
    unit: one.unit,
    ratio: rounded(ratio),
    low: rounded(low),
    high: rounded(high),
    goal: one.goal.value,
    met: counts && reached,
  };
}
