import { parseArgs } from 'node:util';

import type { Bench } from './bench.js';

export const USAGE = 'usage: npm run bench -- [NAME …] [--json] [--pairs N] [--scale S] [--dir DIR]';

const DEFAULT_PAIRS = '10';
const MOST_PAIRS = 1000;
const SMALLEST_SCALE = 0.01;

export interface Order {
  readonly benches: readonly Bench[];
  readonly json: boolean;
  readonly pairs: number;
  readonly scale: number;
  /** Where everything of both sides lies; null for the system's folder for temporary files. */
  readonly dir: string | null;
}

/** Reads the command line. Throws an error whose message is for the user. */
export function readOrder(args: readonly string[], known: readonly Bench[]): Order {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      pairs: { type: 'string', default: DEFAULT_PAIRS },
      scale: { type: 'string', default: '1' },
      dir: { type: 'string' },
    },
  });
  const unknown = positionals.find((name) => !known.some((bench) => bench.name === name));
  if (unknown !== undefined) throw new Error(`there is no bench ${unknown}`);
  const pairs = Number(values.pairs);
  if (!Number.isInteger(pairs) || pairs < 1 || pairs > MOST_PAIRS) throw new Error('--pairs is a whole number from 1');
  const scale = Number(values.scale);
  if (!(scale >= SMALLEST_SCALE && scale <= 1)) throw new Error(`--scale is a number from ${SMALLEST_SCALE} to 1`);
  const benches = known.filter(({ name }) => positionals.includes(name));
  return { benches, json: values.json, pairs, scale, dir: values.dir ?? null };
}
