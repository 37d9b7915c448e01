import { setTimeout as pause } from 'node:timers/promises';

import type { BenchContext } from './bench.js';
import { run } from './programs.js';

const MS_PER_SECOND = 1000;

/** What the two sides measured right after each other. */
export interface Measured<Ours, Theirs> {
  readonly ours: Ours;
  readonly theirs: Theirs;
}

/**
 * Runs both sides in turns, and who begins changes with every pair, so that what the machine does meanwhile meets both. Each side
 * begins with nothing left to be written to the disk. A first pair warms the caches of both and isn't counted.
 */
export async function interleaved<Ours, Theirs>(
  { pairs, signal, tell }: Pick<BenchContext, 'pairs' | 'signal' | 'tell'>,
  sides: {
    readonly ours: () => Promise<Ours>;
    readonly theirs: () => Promise<Theirs>;
    /**
     * So long the machine rests before each side, for those that write a lot: many disks take the first gigabytes faster than what
     * follows, and whoever comes second would pay for it.
     */
    readonly restSeconds?: number;
    /** Done before each side and part of neither: what the one before left to be done later, and would be done meanwhile. */
    readonly settle?: () => Promise<void>;
    /** Throws when the two made different things. */
    readonly compare: (pair: Measured<Ours, Theirs>) => Promise<void>;
    /** What a pair measured, for the person who waits. */
    readonly describe: (pair: Measured<Ours, Theirs>) => string;
  },
): Promise<readonly Measured<Ours, Theirs>[]> {
  const measured: Measured<Ours, Theirs>[] = [];
  const rested = async <Side>(side: () => Promise<Side>): Promise<Side> => {
    signal.throwIfAborted();
    await sides.settle?.();
    await run('sync', [], signal);
    await pause((sides.restSeconds ?? 0) * MS_PER_SECOND, undefined, { signal });
    return side();
  };
  for (let index = 0; index <= pairs; index++) {
    const oursFirst = index % 2 === 1;
    const early = oursFirst ? await rested(sides.ours) : null;
    const theirs = await rested(sides.theirs);
    const pair = { ours: early ?? (await rested(sides.ours)), theirs };
    await sides.compare(pair);
    tell(`${index === 0 ? 'to warm up' : `pair ${index} of ${pairs}`}: ${sides.describe(pair)}`);
    if (index > 0) measured.push(pair);
  }
  return measured;
}
