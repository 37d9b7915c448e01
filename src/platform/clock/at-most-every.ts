/**
 * Does something soon after it was asked for, but begins it at most once in so many milliseconds and never twice at a time: whatever
 * is asked for meanwhile is done once. What `work` throws is for itself to handle.
 */
export class AtMostEvery {
  private beganAt = -Infinity;
  private next: NodeJS.Timeout | undefined;
  private underWay: Promise<void> = Promise.resolve();

  constructor(
    private readonly everyMs: number,
    private readonly work: () => Promise<void>,
  ) {}

  ask(): void {
    const dueInMs = Math.max(0, this.beganAt + this.everyMs - performance.now());
    this.next ??= setTimeout(() => {
      this.begin();
    }, dueInMs);
  }

  /** Resolves when nothing is being done; what was asked for and hasn't begun is forgotten. */
  async stop(): Promise<void> {
    clearTimeout(this.next);
    this.next = undefined;
    await this.underWay;
  }

  private begin(): void {
    this.next = undefined;
    this.beganAt = performance.now();
    this.underWay = this.underWay.then(this.work);
  }
}
