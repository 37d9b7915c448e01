import type { DiskSnapshot } from '../guests/disk-snapshot.js';
import type { Extent } from '../tracking/extents.js';
import { type Run, runsOf } from './runs.js';

/** Windows lie at multiples of this, and so do the ranges of hashes. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** So many windows are read, hashed or on their way at once; this bounds the memory of a copy. */
const BUFFERS = 8;
const READ_AHEAD = 3;
const ZEROS = Buffer.alloc(WINDOW_BYTES);

/** A piece of an extent within one window. Its bytes lie in shared memory, which is used again after `release`. */
export interface Window extends Extent {
  readonly runs: readonly Run[];
  readonly isLast: boolean;
  /** The place of its extent among all of them, from 0. */
  readonly extent: number;
  release(): void;
}

/** Reads extents window by window, some of them ahead. */
export class WindowReader {
  private readonly idle = Array.from({ length: BUFFERS }, () => null as Buffer | null);
  private readonly waiting: ((buffer: Buffer) => void)[] = [];

  constructor(
    private readonly snapshot: DiskSnapshot,
    private readonly extents: readonly Extent[],
  ) {}

  async *read(): AsyncGenerator<Window> {
    const pieces = [...piecesOf(this.extents)];
    const ahead: Promise<Window>[] = [];
    let next = 0;
    const readOne = () => {
      const piece = pieces[next++];
      if (piece === undefined) return;
      const loading = this.load(piece, next === pieces.length);
      // Whoever takes it hears of the failure; nobody takes it when the copy ends before.
      loading.catch(() => undefined);
      ahead.push(loading);
    };
    while (ahead.length < READ_AHEAD && next < pieces.length) readOne();
    try {
      for (let loading = ahead.shift(); loading !== undefined; loading = ahead.shift()) {
        const window = await loading;
        readOne();
        yield window;
      }
    } finally {
      // Reads that nobody waits for any more end before the snapshot is released.
      await Promise.allSettled(ahead);
    }
  }

  private async load({ offset, length, extent }: Piece, isLast: boolean): Promise<Window> {
    if (this.snapshot.isHole({ offset, length })) {
      const hole = { offset, length, isZero: true, bytes: ZEROS.subarray(0, length) };
      return { offset, length, runs: [hole], isLast, extent, release: () => undefined };
    }
    const buffer = await this.take();
    const bytes = buffer.subarray(0, length);
    await this.snapshot.read(bytes, offset);
    return {
      offset,
      length,
      runs: runsOf(bytes, offset),
      isLast,
      extent,
      release: () => {
        const next = this.waiting.shift();
        if (next === undefined) this.idle.push(buffer);
        else next(buffer);
      },
    };
  }

  private take(): Promise<Buffer> {
    const buffer = this.idle.pop();
    if (buffer === undefined) return new Promise((resolve) => this.waiting.push(resolve));
    return Promise.resolve(buffer ?? Buffer.from(new SharedArrayBuffer(WINDOW_BYTES)));
  }
}

interface Piece extends Extent {
  readonly extent: number;
}

function* piecesOf(extents: readonly Extent[]): Generator<Piece> {
  for (const [extent, { offset, length }] of extents.entries()) {
    const end = offset + length;
    for (let at = offset; at < end;) {
      const past = Math.min(end, (Math.floor(at / WINDOW_BYTES) + 1) * WINDOW_BYTES);
      yield { offset: at, length: past - at, extent };
      at = past;
    }
  }
}
