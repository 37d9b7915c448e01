import type { Bench } from './bench.js';
import type { Result } from './result.js';

/** What can be run, with goals and baselines. */
export function catalogueLines(benches: readonly Bench[]): readonly string[] {
  return benches.flatMap(({ name, about, cases }) => [
    `${name}: ${about}`,
    ...cases.flatMap((one) => [
      `  ${one.name}`,
      `    goal      ${one.comparedIs} ${one.goal.is} ${one.goal.value}${one.worstCounts === true ? ', in the worst pair' : ''}`,
      `    baseline  ${one.baseline}`,
    ]),
  ]);
}

const COLUMNS = ['bench', 'ours', 'baseline', 'unit', 'ratio', 'low', 'high', 'goal', 'met'] as const;

/** The results as a table; the case stands in a line of its own above its numbers, since its name is long. */
export function resultLines(results: readonly Result[], benches: readonly Bench[]): readonly string[] {
  const rows = results.map((result) => COLUMNS.map((column) => cell(result, column, benches)));
  const widths = COLUMNS.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) => cells.map((text, at) => text.padEnd(widths[at] ?? 0)).join('  ');
  return [
    line(COLUMNS),
    ...results.flatMap((result, index) => [`- ${result.case}`, line(rows[index] ?? []).trimEnd()]),
  ];
}

function cell(result: Result, column: (typeof COLUMNS)[number], benches: readonly Bench[]): string {
  if (column === 'met') return result.met ? 'yes' : 'NO';
  if (column !== 'goal') return String(result[column]);
  const bench = benches.find(({ name }) => name === result.bench);
  const goal = bench?.cases.find(({ name }) => name === result.case)?.goal;
  return `${goal?.is === 'at most' ? '<=' : '>='} ${result.goal}`;
}
