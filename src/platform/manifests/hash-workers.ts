import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import type { Logger } from '#platform/logging/logger.port';
import { builtProgram } from '#platform/processes/built-program';

/** An open file, and the number of the filesystem it lies on (`dev` of its stat). */
export interface HashSource {
  readonly fd: number;
  readonly storage: number;
}

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
  readonly storage: number;
  resolve(sha256: string): void;
  reject(error: Error): void;
}

interface UnderWay extends Waiting {
  readonly watch: NodeJS.Timeout;
  /** It takes so long that its storage is taken to hang. */
  hangs: boolean;
}

/** As many as usually have a core of their own; more would take the API's time away. */
const WORKERS = 2;
/** A piece of 4 MiB that takes longer comes from storage that hangs, or is about as good as that. */
const HANGS_AFTER_MS = 30_000;
/** A thread that reads from storage that works is at its end long before. */
const CLOSES_WITHIN_MS = 5000;

/**
 * Reads and hashes in threads of their own: the API's thread does neither, and storage that hangs stops none of Node's own
 * threads. The threads are made when they are first needed and don't keep the process alive.
 *
 * No storage keeps the others waiting. Each gets its turn, however much is asked of a slow one. A thread that hangs can't be
 * ended and is replaced; nothing more is read from its storage until it is back, so that each storage takes as many with it as
 * there are.
 */
export class HashWorkers {
  private readonly idle = new Set<Worker>();
  private readonly all = new Set<Worker>();
  private lastId = 0;
  private closed = false;
  private readonly queue: Waiting[] = [];
  private readonly underWay = new Map<Worker, UnderWay>();

  /** How many pieces of work are worth having under way at once. */
  readonly atOnce = WORKERS;

  constructor(
    private readonly logger: Logger,
    private readonly times = { hangsAfterMs: HANGS_AFTER_MS, closesWithinMs: CLOSES_WITHIN_MS },
  ) {}

  /** SHA-256 in hexadecimal. Throws ContentCutOff, or what the reading threw. */
  async hash({ fd, storage }: HashSource, parts: readonly HashPart[]): Promise<string> {
    this.lastId += 1;
    const task = { id: this.lastId, fd, parts };
    return new Promise((resolve, reject) => {
      if (this.closed) {
        reject(new Error('hashing was ended'));
        return;
      }
      this.queue.push({ task, storage, resolve, reject });
      this.next();
    });
  }

  /** Ends the threads; what is under way rejects. One that hangs ends when its storage is back, and nobody waits for it. */
  async close(): Promise<void> {
    this.closed = true;
    for (const waiting of this.queue.splice(0)) waiting.reject(new Error('hashing was ended'));
    const ended = Promise.all([...this.all].map((worker) => worker.terminate()));
    await Promise.race([ended, pause(this.times.closesWithinMs, undefined, { ref: false })]);
    for (const worker of this.underWay.keys()) this.settle(worker, failed('hashing was ended'));
    const left = this.all.size;
    if (left > 0)
      this.logger.warn({ left }, 'threads hang on storage: until it is back, the process can not end by itself');
  }

  private next(): void {
    for (let waiting = this.first(); waiting !== undefined; waiting = this.first()) {
      const [worker = this.another()] = this.idle;
      if (worker === null) return;
      this.queue.splice(this.queue.indexOf(waiting), 1);
      this.begin(worker, waiting);
    }
  }

  private begin(worker: Worker, waiting: Waiting): void {
    this.idle.delete(worker);
    const watch = setTimeout(() => {
      this.takeForHanging(worker);
    }, this.times.hangsAfterMs).unref();
    this.underWay.set(worker, { ...waiting, watch, hangs: false });
    worker.ref();
    worker.postMessage(waiting.task);
  }

  /** What waits longest for the storage that has the fewest threads, unless it hangs. */
  private first(): Waiting | undefined {
    const busy = new Map<number, number>();
    for (const { storage, hangs } of this.underWay.values()) {
      busy.set(storage, hangs ? Infinity : (busy.get(storage) ?? 0) + 1);
    }
    const threads = ({ storage }: Waiting) => busy.get(storage) ?? 0;
    const mayBegin = this.queue.filter((waiting) => threads(waiting) !== Infinity);
    return mayBegin.toSorted((one, other) => threads(one) - threads(other))[0];
  }

  private takeForHanging(worker: Worker): void {
    const underWay = this.underWay.get(worker);
    if (underWay === undefined) return;
    underWay.hangs = true;
    this.next();
  }

  /** It hung, is back, and was replaced meanwhile. */
  private dismiss(worker: Worker): void {
    this.all.delete(worker);
    void worker.terminate();
  }

  /** How many there are to work with. */
  private get working(): number {
    return this.all.size - [...this.underWay.values()].filter(({ hangs }) => hangs).length;
  }

  private another(): Worker | null {
    if (this.working >= WORKERS) return null;
    const worker = new Worker(builtProgram('manifests/hash-worker.main.js'));
    this.all.add(worker);
    worker.on('message', (answer: HashAnswer) => {
      this.settle(worker, answer);
      worker.unref();
      if (this.working > WORKERS) this.dismiss(worker);
      else this.idle.add(worker);
      this.next();
    });
    worker.on('error', (error) => {
      this.settle(worker, failed(error.message));
    });
    worker.on('exit', () => {
      this.all.delete(worker);
      this.idle.delete(worker);
      this.settle(worker, failed('a thread for hashing ended'));
      this.next();
    });
    return worker;
  }

  private settle(worker: Worker, { sha256, cutOffAt, error }: HashAnswer): void {
    const waiting = this.underWay.get(worker);
    clearTimeout(waiting?.watch);
    this.underWay.delete(worker);
    if (sha256 !== null) waiting?.resolve(sha256);
    else if (error === null) waiting?.reject(new ContentCutOff(cutOffAt ?? 0));
    else waiting?.reject(new ContentUnreadable(error.message, error.code));
  }
}

/** What a thread that is gone would have answered. */
function failed(message: string): HashAnswer {
  return { id: -1, sha256: null, cutOffAt: null, error: { message, code: null } };
}
