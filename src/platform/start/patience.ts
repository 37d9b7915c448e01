import { pause } from '#platform/clock/pause';
import type { Logger } from '#platform/logging/logger.port';

import { Interrupted, Unavailable } from './cannot-start.js';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

/** How long a start waits for what is away, and who is told. */
export interface Patience {
  readonly seconds: number;
  readonly logger: Logger;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

/**
 * Tries until it succeeds. What is thrown while `isAway` says that the other side doesn't answer is tried again, anything else
 * is thrown at once. Throws Unavailable when patience ends, Interrupted when the signal is aborted while it waits.
 */
export async function patiently(
  what: string,
  attempt: () => Promise<void>,
  isAway: (error: unknown) => boolean | Promise<boolean>,
  { seconds, logger, signal }: Patience,
): Promise<void> {
  const begin = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (!(await isAway(error))) throw error;
      const leftMs = begin + seconds * 1000 - performance.now();
      if (leftMs <= 0) throw new Unavailable(`${what} did not answer for ${seconds} s; OMA gives up`, { cause: error });
      logger.warn({ leftSeconds: Math.ceil(leftMs / 1000) }, `${what} does not answer; it is tried again`);
      await pause(Math.min(pauseMs, leftMs), signal);
      if (signal.aborted) throw new Interrupted(`stopped while ${what} was waited for`);
    }
  }
}
