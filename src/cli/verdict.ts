import type { CheckStatus } from '#platform/projections/check-log';

/** What a comparison comes to: the worst that it found. */
export type Verdict = 'running' | 'failed' | 'differs' | 'stopped' | 'behind' | 'same';

export function verdictOn({ status, comparison, standing }: CheckStatus): Verdict {
  if (status === 'running') return 'running';
  if (status === 'failed' || comparison === null) return 'failed';
  if (comparison.missing + comparison.extra + comparison.different > 0) return 'differs';
  if (standing?.stopped === true) return 'stopped';
  return standing === null || standing.behind === 0 ? 'same' : 'behind';
}
