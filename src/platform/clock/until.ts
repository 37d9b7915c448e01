import { setTimeout as pause } from 'node:timers/promises';

const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/** Asks again until there is an answer other than null; null when there was none within `withinMs`. */
export async function until<Answer>(ask: () => Promise<Answer | null>, withinMs: number): Promise<Answer | null> {
  const deadline = performance.now() + withinMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const answer = await ask();
    if (answer !== null || performance.now() + pauseMs > deadline) return answer;
    await pause(pauseMs);
  }
}
