/**
 * Does something soon after it was asked for, but begins it at most once in so many milliseconds and never twice at a time: whatever
 * is asked for meanwhile is done once, after it. What `work` throws is for itself to handle.
 */
export class AtMostEvery {
  private beganAt = -Infinity;
  private isAsked = false;
  private timer: NodeJS.Timeout | undefined;
  private underWay: Promise<void> | null = null;

  constructor(
    private readonly everyMs: number,
    private readonly work: () => Promise<void>,
  ) {}

  ask(): void {
    this.isAsked = true;
    if (this.timer !== undefined || this.underWay !== null) return;
    const dueInMs = Math.max(0, this.beganAt + this.everyMs - performance.now());
    this.timer = setTimeout(() => {
      this.begin();
    }, dueInMs);
  }

  /** Resolves when nothing is being done; what was asked for and hasn't begun is forgotten. */
  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.isAsked = false;
    await this.underWay;
  }

  private begin(): void {
    this.timer = undefined;
    this.isAsked = false;
    this.beganAt = performance.now();
    this.underWay = this.work().finally(() => {
      this.underWay = null;
      if (this.isAsked) this.ask();
    });
  }
}
