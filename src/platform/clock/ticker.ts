/**
 * Takes a turn every `everyMs` and whenever it is woken, one turn at a time. A turn that throws is told to `onError` and
 * the next one comes all the same.
 */
export class Ticker {
  private timer: NodeJS.Timeout | undefined;
  private current: Promise<void> | undefined;
  private wokenMeanwhile = false;
  private stopped = true;

  constructor(
    private readonly everyMs: number,
    private readonly turn: () => Promise<void>,
    private readonly onError: (error: unknown) => void,
  ) {}

  start(): void {
    this.stopped = false;
    this.wake();
  }

  /** Takes a turn at once, or once more when a turn is under way. */
  wake(): void {
    if (this.stopped) return;
    if (this.current !== undefined) {
      this.wokenMeanwhile = true;
      return;
    }
    clearTimeout(this.timer);
    this.current = this.turn()
      .catch(this.onError)
      .finally(() => {
        this.current = undefined;
        this.goOn();
      });
  }

  private goOn(): void {
    if (this.stopped) return;
    if (this.wokenMeanwhile) {
      this.wokenMeanwhile = false;
      this.wake();
      return;
    }
    this.timer = setTimeout(() => {
      this.wake();
    }, this.everyMs);
  }

  /** No turn begins after this; resolves when the one under way is over. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.current;
  }
}
