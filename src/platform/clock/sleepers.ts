/** A sleep that can be ended without waiting for what it waits for. */
export interface Doze {
  readonly over: Promise<void>;
  end(): void;
}

/** Those who wait for something to change. */
export class Sleepers {
  private readonly asleep = new Set<() => void>();

  /** Over at the next `wakeAll`, when it is ended, or when the signal is aborted. */
  doze(signal: AbortSignal): Doze {
    let end: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      end = () => {
        this.asleep.delete(end);
        signal.removeEventListener('abort', end);
        resolve();
      };
    });
    if (signal.aborted) end();
    else {
      this.asleep.add(end);
      signal.addEventListener('abort', end);
    }
    return { over, end };
  }

  sleep(signal: AbortSignal): Promise<void> {
    return this.doze(signal).over;
  }

  wakeAll(): void {
    for (const wake of [...this.asleep]) wake();
  }
}
