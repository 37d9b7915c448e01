/** How much of a soak is run: a sample by default, all of it through `npm run soak`. */
export interface SoakSettings {
  readonly count: number;
  readonly seed: number;
  readonly workers: number;
}

export function soakSettings(sample: number): SoakSettings {
  const { OMA_SOAK_COUNT: count, OMA_SOAK_SEED: seed, OMA_SOAK_WORKERS: workers } = process.env;
  return {
    count: count === undefined ? sample : Number(count),
    seed: seed === undefined ? 20_261_123 : Number(seed),
    workers: workers === undefined ? 2 : Number(workers),
  };
}

/** A line for the person who waits; Jest would show it only at the end. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
