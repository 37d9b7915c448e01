const SHOWN = 5;

/** What was counted; everything in `wrong` must not be. */
export class Findings {
  readonly wrong: string[] = [];
  readonly counts: Record<string, number> = {};

  blame(what: string, whom: readonly string[]): void {
    if (whom.length > 0) this.wrong.push(`${what} (${whom.length}): ${whom.slice(0, SHOWN).join('; ')}`);
  }

  count(what: string, times: number): void {
    this.counts[what] = times;
  }
}
