import { setTimeout as pause } from 'node:timers/promises';

/** Hears that an agent told of the end of something in one backup, from `listen` until `end`. */
export interface CompletionCall {
  /** Resolves as soon as an agent has told of it since the last time, or after so many milliseconds; with whether it has. */
  within(milliseconds: number, signal: AbortSignal): Promise<boolean>;
  end(): void;
}

/**
 * Lets those who follow a backup know at once that its agent reported a disk as complete to this process, so that they needn't
 * ask often. Nothing depends on it: who follows asks by itself, too, and a report may reach another process.
 */
export class CompletionCalls {
  private readonly listening = new Map<string, Set<() => void>>();

  told(jobId: string): void {
    for (const hear of this.listening.get(jobId) ?? []) hear();
  }

  listen(jobId: string): CompletionCall {
    let isTold = false;
    let wake: () => void = () => undefined;
    const hear = () => {
      isTold = true;
      wake();
    };
    const all = this.listening.get(jobId) ?? new Set();
    this.listening.set(jobId, all.add(hear));
    return {
      within: async (milliseconds, signal) => {
        if (!isTold) {
          const woken = new AbortController();
          wake = () => {
            woken.abort();
          };
          await pause(milliseconds, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(
            () => undefined,
          );
          signal.throwIfAborted();
        }
        const wasTold = isTold;
        isTold = false;
        return wasTold;
      },
      end: () => {
        all.delete(hear);
        if (all.size === 0) this.listening.delete(jobId);
      },
    };
  }
}
