import { Readable } from 'node:stream';

const BUFFERED_BYTES = 64 * 1024;

/** A reader that doesn't take what was written for it. */
export class TooSlow extends Error {}

/**
 * Pieces of text as a stream that holds `BUFFERED_BYTES` and one piece at most. It breaks off with TooSlow when a piece isn't
 * taken in time, and tells at once when it is broken off.
 */
export class TextStream extends Readable {
  private patience: NodeJS.Timeout | undefined;

  constructor(
    private readonly pieces: AsyncGenerator<string>,
    private readonly options: { readonly takenWithinMs: number; readonly onGone: () => void },
  ) {
    super({ highWaterMark: BUFFERED_BYTES });
  }

  override _read(): void {
    clearTimeout(this.patience);
    this.pieces.next().then(
      ({ done, value }) => {
        if (this.destroyed) return;
        this.patience = setTimeout(() => this.destroy(new TooSlow()), this.options.takenWithinMs);
        this.push(done === true ? null : value);
      },
      (error: unknown) => this.destroy(error instanceof Error ? error : new Error('a stream failed')),
    );
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    clearTimeout(this.patience);
    this.options.onGone();
    // It ends when what it waits for has heard of it, which is no reason to wait here.
    void this.pieces.return(undefined).catch(() => undefined);
    callback(error);
  }
}
