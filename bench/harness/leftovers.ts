/** What has to be taken away again, however a bench ends: the newest first. */
export class Leftovers {
  private readonly undo: (() => Promise<unknown>)[] = [];

  add(undo: () => Promise<unknown>): void {
    this.undo.push(undo);
  }

  /** Goes on when something can't be taken away; answers what went wrong. */
  async clear(): Promise<readonly string[]> {
    const problems: string[] = [];
    for (let undo = this.undo.pop(); undo !== undefined; undo = this.undo.pop()) {
      await undo().catch((error: unknown) => problems.push(error instanceof Error ? error.message : String(error)));
    }
    return problems;
  }
}
