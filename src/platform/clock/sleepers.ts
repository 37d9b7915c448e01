/** Those who wait for something to change. */
export class Sleepers {
  private readonly asleep = new Set<() => void>();

  /** Resolves at the next `wakeAll`, or when the signal is aborted. */
  sleep(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.asleep.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.asleep.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  wakeAll(): void {
    for (const wake of [...this.asleep]) wake();
  }
}
