/**
 * Runs `work` until `timeoutMs` are over or the caller gives up; then it throws and tells `work` by its signal.
 *
 * Not left to `fetch`: while an answer's body arrives it holds its signal so weakly that a garbage collection takes it
 * away, and then neither a time limit nor a cancel would ever end the call.
 */
export async function within<Result>(
  timeoutMs: number,
  caller: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  caller?.throwIfAborted();
  const controller = new AbortController();
  const giveUp = () => {
    controller.abort();
  };
  const timer = setTimeout(giveUp, timeoutMs);
  caller?.addEventListener('abort', giveUp, { once: true });
  try {
    const givenUp = new Promise<never>((_, reject) => {
      controller.signal.addEventListener(
        'abort',
        () => {
          reject(new Error('given up'));
        },
        { once: true },
      );
    });
    return await Promise.race([work(controller.signal), givenUp]);
  } finally {
    clearTimeout(timer);
    caller?.removeEventListener('abort', giveUp);
  }
}
