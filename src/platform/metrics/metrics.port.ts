/** What is measured: its name as Prometheus wants it, with the unit in it, and the names of its labels. */
export interface Measure {
  readonly name: string;
  readonly help: string;
  /** Each label has few values that are known beforehand: kinds, states, route templates. Never a name, a path or an id. */
  readonly labels?: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** One value of a measure as it is now. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** Something that is counted as it happens. */
export interface Count {
  add(labels?: Labels, by?: number): void;
}

/** Something whose values are spread: durations, sizes. */
export interface Spread {
  observe(value: number, labels?: Labels): void;
}

export type MeasureType = 'counter' | 'gauge' | 'histogram';

/** A measure as it is described to people. */
export interface Described extends Measure {
  readonly type: MeasureType;
}

/**
 * The numbers of one OMA, for those who watch it. What happens is counted as it happens; how things stand is looked up when
 * somebody asks, so that nobody has to keep a number up to date.
 */
export abstract class Metrics {
  abstract count(measure: Measure): Count;

  /** `bounds` are the upper ends of the histogram's buckets. */
  abstract spread(measure: Measure, bounds: readonly number[]): Spread;

  /**
   * Looks at `source` whenever somebody asks for the numbers. A look that throws, or takes longer than two seconds, costs
   * its own measures only: they are left out, and `oma_metrics_source_up` says so.
   */
  abstract watch<Name extends string>(
    source: string,
    measures: Readonly<Record<Name, Measure>>,
    look: () => Promise<Readonly<Record<Name, readonly Sample[]>>>,
  ): void;

  /** Everything as text in Prometheus' format. Never throws. */
  abstract exposition(): Promise<string>;

  /** All measures of OMA's own. */
  abstract described(): readonly Described[];
}
