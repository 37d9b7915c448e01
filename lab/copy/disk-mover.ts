import type { DiskSnapshot } from '../guests/disk-snapshot.js';
import { NbdClient, type NbdTarget } from '../nbd/nbd-client.js';
import { bytesOf, type Extent } from '../tracking/extents.js';
import type { Misbehaviour, Turn } from '../vma/misbehaviour.js';
import { type HashedRange, HashedRanges } from './hashed-ranges.js';
import type { Run } from './runs.js';
import { type Window, WindowReader } from './window-reader.js';

const REQUESTS_IN_FLIGHT = 32;
/** Larger ones make a server get and clear memory for each, which takes longer than it saves. */
const DATA_REQUEST_BYTES = 1024 * 1024;
const OUTSIDE_BYTES = 64 * 1024;

/** What of a disk is to be copied where. */
export interface DiskCopy {
  readonly snapshot: DiskSnapshot;
  readonly extents: readonly Extent[];
  readonly isIncrement: boolean;
  readonly target: NbdTarget;
  /** Where the disk begins among the bytes that the job copies. */
  readonly jobOffset: number;
  readonly jobBytes: number;
  /** Called as bytes, zeros included, are acknowledged. */
  copied(bytes: number): void;
}

/** How a copy ended, and the hashes of what it read. */
export interface CopyEnd {
  readonly turn: Turn;
  readonly hashes: readonly HashedRange[];
}

/** Writes the extents of one disk to its export, byte by byte the same: data as data, zeros as zeros that take no room. */
export class DiskMover {
  private readonly hashes = new HashedRanges();
  private readonly pending = new Set<Promise<void>>();
  private client: NbdClient | null = null;
  private requests = 0;
  private failure: Error | null = null;

  constructor(
    private readonly copy: DiskCopy,
    private readonly misbehaviour: Misbehaviour,
    private readonly signal: AbortSignal,
  ) {}

  async run(): Promise<CopyEnd> {
    if (this.misbehaviour.settings.never_connect === true) {
      this.copy.copied(bytesOf(this.copy.extents));
      return { turn: 'go on', hashes: [] };
    }
    const giveUp = () => this.client?.destroy();
    this.signal.addEventListener('abort', giveUp);
    try {
      // A server's greeting takes some 40 ms: its small answers wait for each other on the way.
      if (this.offersHashes) this.hashes.warm();
      await this.connect();
      await this.writeOutside();
      const turn = await this.copyAll();
      if (turn !== 'vanish') await this.disconnect();
      return { turn, hashes: await this.hashes.all() };
    } finally {
      this.signal.removeEventListener('abort', giveUp);
      this.client?.destroy();
      await this.hashes.close();
    }
  }

  private get offersHashes(): boolean {
    return this.misbehaviour.settings.no_hashes !== true;
  }

  private get export(): NbdClient {
    if (this.client === null) throw new Error('there is no connection');
    return this.client;
  }

  private async connect(): Promise<void> {
    const { target, snapshot } = this.copy;
    this.client = await NbdClient.connect(target, this.signal);
    const { sizeBytes, readOnly } = this.client.facts;
    if (readOnly) throw new Error(`export ${target.exportName} is read-only`);
    if (sizeBytes !== snapshot.sizeBytes) {
      throw new Error(`export ${target.exportName} has ${sizeBytes} bytes, the disk ${snapshot.sizeBytes}`);
    }
  }

  private async disconnect(): Promise<void> {
    await this.export.flush();
    await this.export.disconnect();
  }

  private async writeOutside(): Promise<void> {
    const { write_outside } = this.misbehaviour.settings;
    if (write_outside === undefined) return;
    const written = this.export.write(this.copy.snapshot.sizeBytes, Buffer.alloc(OUTSIDE_BYTES, 0xff));
    await written.catch((error: unknown) => {
      if (write_outside === 'report') throw error;
    });
  }

  private async copyAll(): Promise<Turn> {
    const { snapshot, extents } = this.copy;
    let at = this.copy.jobOffset;
    try {
      for await (const window of new WindowReader(snapshot, extents).read()) {
        const turn = await this.copyWindow(window, at);
        if (turn !== 'go on') return await this.settled(turn);
        at += window.length;
      }
      return await this.settled('go on');
    } finally {
      // Also when the copy fails: what was sent is written, and counted, before anybody hears of the failure.
      await Promise.all(this.pending);
    }
  }

  private async settled(turn: Turn): Promise<Turn> {
    if (turn !== 'vanish') await this.drain();
    return turn;
  }

  /** Sends one window, in smaller pieces where the misbehaviour wants to be met at a byte. */
  private async copyWindow(window: Window, windowAt: number): Promise<Turn> {
    const { runs, length } = window;
    const users: Promise<unknown>[] = this.offersHashes ? runs.map((run) => this.hashes.add(run)) : [];
    try {
      let done = 0;
      while (done < length) {
        const at = windowAt + done;
        const turn = await this.misbehaviour.turn(at, this.copy.jobBytes, this.signal);
        if (turn === 'die') await this.dieAndReturn();
        else if (turn !== 'go on') return turn;
        const size = this.misbehaviour.stride(at, length - done, this.copy.jobBytes);
        for (const piece of piecesOf(runs, window.offset + done, size)) {
          while (this.requests >= REQUESTS_IN_FLIGHT) await Promise.race(this.pending);
          this.throwFailure();
          users.push(this.send(piece, at + piece.offset - window.offset - done, window));
        }
        await this.misbehaviour.keepPace(size, this.signal);
        done += size;
      }
      return 'go on';
    } finally {
      void this.note(
        Promise.all(users).then(() => {
          window.release();
        }),
      );
    }
  }

  /** @param at where the piece begins among the bytes of the job. */
  private send(piece: Run, at: number, window: Window): Promise<void> {
    const { offset, length, isZero, bytes } = piece;
    const sent = this.misbehaviour.spoiled(bytes, at);
    const { isIncrement } = this.copy;
    const { extent, isLast } = window;
    const isOmitted = this.misbehaviour.omits({
      isIncrement,
      isZero,
      isFirstExtent: extent === 0,
      isLastWindow: isLast,
    });
    const asZeros = isZero && sent === bytes;
    this.requests += 1;
    const request = isOmitted
      ? Promise.resolve()
      : asZeros
        ? this.export.writeZeroes(offset, length)
        : this.export.write(offset, sent);
    return this.note(
      request
        .then(() => {
          this.copy.copied(length);
        })
        .finally(() => {
          this.requests -= 1;
        }),
    );
  }

  /** Waits for it at the end at the latest, and keeps its failure; what is answered never rejects. */
  private note(work: Promise<unknown>): Promise<void> {
    const noted: Promise<void> = work
      .then(() => undefined)
      .catch((error: unknown) => {
        this.failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => this.pending.delete(noted));
    this.pending.add(noted);
    return noted;
  }

  private async drain(): Promise<void> {
    while (this.pending.size > 0) await Promise.all(this.pending);
    this.throwFailure();
  }

  private throwFailure(): void {
    if (this.failure !== null) throw this.failure;
  }

  /** The connection breaks; when the agent is back, it goes on with the next byte. */
  private async dieAndReturn(): Promise<void> {
    await Promise.all([...this.pending]);
    this.throwFailure();
    this.export.destroy();
    await this.misbehaviour.untilBack(this.signal);
    this.signal.throwIfAborted();
    await this.connect();
  }
}

/** The parts of runs within `size` bytes from `offset`, no larger than requests are. */
function* piecesOf(runs: readonly Run[], offset: number, size: number): Generator<Run> {
  for (const run of runs) {
    const past = Math.min(offset + size, run.offset + run.length);
    let from = Math.max(offset, run.offset);
    while (from < past) {
      const length = run.isZero ? past - from : Math.min(DATA_REQUEST_BYTES, past - from);
      const start = from - run.offset;
      yield { offset: from, length, isZero: run.isZero, bytes: run.bytes.subarray(start, start + length) };
      from += length;
    }
  }
}
