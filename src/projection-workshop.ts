import { once } from 'node:events';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';

import type { LogSettings } from './platform/event-store/chosen-event-store.js';
import { builtProgram } from './platform/processes/built-program.js';
import { BusyThread } from './platform/projections/bystanders.js';
import type { Workshop } from './platform/projections/upkeep.js';

/** What a thread is given to do. */
export interface ProjectionWork {
  readonly name: string;
  /** Null to build. */
  readonly checkId: string | null;
  readonly databaseUrl: string;
  readonly logLevel: string;
  readonly log: LogSettings;
  /** Of the thread that gives the work: see BusyThread. */
  readonly busy: SharedArrayBuffer;
}

/** Two pages of events live at a time; the nursery has room for them. */
const LIMITS = { maxYoungGenerationSizeMb: 96 };
/**
 * V8 clears up the more often the less a heap may grow: within the limit that OMA's own heap is given on the command line, once per
 * page of events, on processors that the build needs. That limit holds for threads too, whatever they are given themselves; a heap
 * that is there already keeps its own, and the threads that hash need none of it. No more than two build at once.
 */
const HEAP_OF_A_THREAD_MB = 2048;
const BYTES_PER_MB = 1024 * 1024;
/** Whoever is told to stop and waits for a database that says nothing is ended, as a start is that builds rows. */
const ENDS_WITHIN_MS = 10_000;

/** Builds and compares rows in threads of their own, so that requests are answered as fast as ever meanwhile. */
export function projectionThreads(databaseUrl: string, logLevel: string, settings: LogSettings): Workshop {
  const { eventStoreUrl, eventStoreNamespace } = settings;
  const log = { eventStoreUrl, eventStoreNamespace };
  // Whoever gave OMA more than that gave it to its threads, too.
  const heapMb = Math.max(HEAP_OF_A_THREAD_MB, Math.ceil(getHeapStatistics().heap_size_limit / BYTES_PER_MB));
  const inThread = async (name: string, checkId: string | null, signal: AbortSignal) => {
    // A thread that is told before it begins is never told.
    if (signal.aborted) return;
    const busy = new BusyThread();
    const workerData: ProjectionWork = { name, checkId, databaseUrl, logLevel, log, busy: busy.memory };
    setFlagsFromString(`--max-old-space-size=${heapMb}`);
    const worker = new Worker(builtProgram('../projection-work.main.js'), {
      workerData,
      resourceLimits: LIMITS,
    });
    let late: NodeJS.Timeout | undefined;
    const stop = () => {
      worker.postMessage('stop');
      late = setTimeout(() => void worker.terminate(), ENDS_WITHIN_MS);
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      await once(worker, 'exit');
    } finally {
      signal.removeEventListener('abort', stop);
      clearTimeout(late);
      busy.stop();
    }
  };
  return {
    build: (projection, signal) => inThread(projection.name, null, signal),
    check: (projection, id, signal) => inThread(projection.name, id, signal),
  };
}
