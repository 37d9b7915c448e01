import type { Readable } from 'node:stream';

import { CutOff, NoAnswer } from './failures.js';

/**
 * Takes what a reading call of the client brings, one by one and in order, with marks that came between. Those calls have
 * no deadline, and may emit errors after everybody has left: this waits only so long, and listens to the end.
 */
export class Intake<Item> {
  private readonly taken: Item[] = [];
  private failure: { readonly error: unknown } | null = null;
  private ended = false;
  private wake: () => void = () => undefined;

  constructor(
    private readonly call: Readable,
    private readonly leave: () => Promise<void>,
    private readonly signal: AbortSignal,
  ) {
    call.on('readable', () => {
      this.wake();
    });
    call.on('end', () => {
      this.ended = true;
      this.wake();
    });
    call.on('close', () => {
      this.fail(new CutOff());
    });
    // For ever: a late error without a listener would end the process.
    call.on('error', (error: unknown) => {
      this.fail(error);
    });
  }

  /** Puts a mark behind everything that has arrived. */
  mark(item: Item): void {
    for (let next = this.read(); next !== null; next = this.read()) this.taken.push(next);
    this.taken.push(item);
    this.wake();
  }

  /** What has arrived is still given out; then the error is thrown. */
  fail(error: unknown): void {
    if (!this.ended) this.failure ??= { error };
    this.wake();
  }

  /** Until the call ends or the signal is aborted. Throws the call's error, and NoAnswer after so long a silence. */
  async *items(silenceMs: number | null): AsyncGenerator<Item> {
    const stop = () => {
      this.wake();
    };
    this.signal.addEventListener('abort', stop);
    try {
      while (!this.signal.aborted) {
        const item = this.taken.shift() ?? this.read();
        if (item !== null) yield item;
        else if (this.failure !== null) throw this.failure.error;
        else if (this.ended) return;
        else await this.news(silenceMs);
      }
    } finally {
      this.signal.removeEventListener('abort', stop);
      this.leave().catch(() => undefined);
      // Thrown away to the end, also what comes yet: a call that ended well with something unread is held by the client for ever.
      this.wake = () => {
        while (this.read() !== null);
      };
      this.wake();
    }
  }

  private read(): Item | null {
    return this.call.read() as Item | null;
  }

  private news(withinMs: number | null): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = () => {
        this.wake = () => undefined;
        reject(new NoAnswer(withinMs ?? 0));
      };
      const timer = withinMs === null ? undefined : setTimeout(late, withinMs);
      this.wake = () => {
        clearTimeout(timer);
        this.wake = () => undefined;
        resolve();
      };
    });
  }
}
