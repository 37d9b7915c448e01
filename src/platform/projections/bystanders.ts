import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';

/** What a build keeps busy at once: its thread, the server's process that reads the log and the one that writes rows. */
const BUILD_TAKES = 3;
/** The thread that answers requests, and a process of the server for it. */
const ANSWERS_TAKE = 2;
const LOOK_MS = 250;
/** Of a hundred: who asks ten times a second how far a build is keeps a thread less busy, also beside a build. */
const BUSY_PERCENT = 15;

/** Whether somebody waits for answers while rows are built. */
export interface Bystanders {
  wait(): boolean;
}

export const nobodyWaits: Bystanders = { wait: () => false };

/** Measures how busy the thread is that answers requests, in memory that another thread can read. */
export class BusyThread {
  readonly memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  private readonly timer: NodeJS.Timeout;

  /** From now on, this thread. */
  constructor() {
    const percent = new Int32Array(this.memory);
    let last = performance.eventLoopUtilization();
    this.timer = setInterval(() => {
      const now = performance.eventLoopUtilization();
      Atomics.store(percent, 0, Math.round(performance.eventLoopUtilization(now, last).utilization * 100));
      last = now;
    }, LOOK_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

/** Whether the thread that is measured there has much to do; where there are processors for all, nobody waits. */
export function bystandersOf(memory: SharedArrayBuffer, processors = availableParallelism()): Bystanders {
  if (processors >= BUILD_TAKES + ANSWERS_TAKE) return nobodyWaits;
  const percent = new Int32Array(memory);
  return { wait: () => Atomics.load(percent, 0) >= BUSY_PERCENT };
}
