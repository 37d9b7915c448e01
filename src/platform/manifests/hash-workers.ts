import { Worker } from 'node:worker_threads';

import { builtProgram } from '#platform/processes/built-program';

/** Bytes of a file, or zeros where `hostOffset` is null. */
export interface HashPart {
  readonly hostOffset: number | null;
  readonly length: number;
}

/** What a worker is asked: the SHA-256 of the parts one after another. */
export interface HashTask {
  readonly id: number;
  readonly fd: number;
  readonly parts: readonly HashPart[];
}

export interface HashAnswer {
  readonly id: number;
  readonly sha256: string | null;
  /** So many bytes were there before the file ended. */
  readonly cutOffAt: number | null;
  /** As plain data: an error's code doesn't survive the way between threads. */
  readonly error: { readonly message: string; readonly code: string | null } | null;
}

/** The file is shorter than it should be. */
export class ContentCutOff extends Error {
  override readonly name = 'ContentCutOff';
  constructor(
    /** Bytes of what was asked for that were there. */
    readonly bytesThere: number,
  ) {
    super('the file ends before its content does');
  }
}

/** The file could not be read; `code` is the system's. */
export class ContentUnreadable extends Error {
  override readonly name = 'ContentUnreadable';
  constructor(
    message: string,
    readonly code: string | null,
  ) {
    super(message);
  }
}

interface Waiting {
  readonly task: HashTask;
  resolve(sha256: string): void;
  reject(error: Error): void;
}

/** As many as usually have a core of their own; more would take the API's time away. */
const WORKERS = 2;

/**
 * Reads and hashes in threads of their own: the API's thread does neither, and storage that hangs stops none of Node's own
 * threads. The threads are made when they are first needed and don't keep the process alive.
 */
export class HashWorkers {
  private readonly idle = new Set<Worker>();
  private readonly all = new Set<Worker>();
  private lastId = 0;
  private closed = false;
  private readonly queue: Waiting[] = [];
  private readonly underWay = new Map<Worker, Waiting>();

  /** How many pieces of work are worth having under way at once. */
  readonly atOnce = WORKERS;

  /** SHA-256 in hexadecimal. Throws ContentCutOff, or what the reading threw. */
  async hash(fd: number, parts: readonly HashPart[]): Promise<string> {
    this.lastId += 1;
    const task = { id: this.lastId, fd, parts };
    return new Promise((resolve, reject) => {
      if (this.closed) {
        reject(new Error('hashing was ended'));
        return;
      }
      this.queue.push({ task, resolve, reject });
      this.next();
    });
  }

  /** Ends the threads; what is under way rejects. */
  async close(): Promise<void> {
    this.closed = true;
    for (const waiting of this.queue.splice(0)) waiting.reject(new Error('hashing was ended'));
    await Promise.all([...this.all].map((worker) => worker.terminate()));
  }

  private next(): void {
    if (this.queue.length === 0) return;
    const [worker = this.another()] = this.idle;
    if (worker === null) return;
    const waiting = this.queue.shift();
    if (waiting === undefined) return;
    this.idle.delete(worker);
    this.underWay.set(worker, waiting);
    worker.ref();
    worker.postMessage(waiting.task);
  }

  private another(): Worker | null {
    if (this.all.size >= WORKERS) return null;
    const worker = new Worker(builtProgram('manifests/hash-worker.main.js'));
    this.all.add(worker);
    worker.on('message', (answer: HashAnswer) => {
      this.settle(worker, answer);
      this.idle.add(worker);
      worker.unref();
      this.next();
    });
    worker.on('error', (error) => {
      this.settle(worker, { id: -1, sha256: null, cutOffAt: null, error: { message: error.message, code: null } });
    });
    worker.on('exit', () => {
      this.all.delete(worker);
      this.idle.delete(worker);
      this.settle(worker, {
        id: -1,
        sha256: null,
        cutOffAt: null,
        error: { message: 'a thread for hashing ended', code: null },
      });
      this.next();
    });
    return worker;
  }

  private settle(worker: Worker, { sha256, cutOffAt, error }: HashAnswer): void {
    const waiting = this.underWay.get(worker);
    this.underWay.delete(worker);
    if (sha256 !== null) waiting?.resolve(sha256);
    else if (error === null) waiting?.reject(new ContentCutOff(cutOffAt ?? 0));
    else waiting?.reject(new ContentUnreadable(error.message, error.code));
  }
}
