import type { Leftovers } from './leftovers.js';
import type { BenchCase, Pair } from './result.js';

/** What a bench is given. */
export interface BenchContext {
  /** How many pairs to measure; one more is run before them and not counted. */
  readonly pairs: number;
  /** 1 for the sizes the goals speak of; smaller while a bench is being written. */
  readonly scale: number;
  /** A folder of its own, in the filesystem where everything of both sides lies. */
  readonly dir: string;
  /** A folder for disks of guests, shared by all benches of a run. */
  readonly disksDir: string;
  readonly leftovers: Leftovers;
  /** Aborts when the user wants the program to end. */
  readonly signal: AbortSignal;
  /** Tells the person who waits how it goes. */
  readonly tell: (line: string) => void;
}

/** One measurement against another, repeated in pairs. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  readonly cases: readonly BenchCase[];
  /** Answers the pairs of each case, by its name. Throws when the outputs of the two sides differ. */
  run(context: BenchContext): Promise<ReadonlyMap<string, readonly Pair[]>>;
}
