import { type FileHandle, open, stat } from 'node:fs/promises';

import { ChangeTracking, type TrackingState } from '../tracking/change-tracking.js';
import type { Extent } from '../tracking/extents.js';
import { differences } from './differences.js';
import { DiskSnapshot } from './disk-snapshot.js';
import { holesOf } from './hole-map.js';
import { runProgram } from './program.js';

/** Where a disk of a VM lies. */
export interface DiskPlace {
  readonly deviceKey: number;
  /** The disk, raw and sparse. */
  readonly file: string;
  readonly manifestFile: string;
}

/** What `stat` counts a file's room in. */
const STAT_BLOCK_BYTES = 512;

/**
 * A disk of a VM: the guest writes to it, and what it writes is tracked (`<file>.ctk`). Whatever is asked for happens
 * one after another; copies read from snapshots, so that the guest may go on.
 */
export class TrackedDisk implements DiskPlace {
  readonly deviceKey: number;
  readonly file: string;
  readonly manifestFile: string;
  private readonly snapshots = new Set<DiskSnapshot>();
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    place: DiskPlace,
    private size: number,
    private readonly tracking: ChangeTracking,
  ) {
    this.deviceKey = place.deviceKey;
    this.file = place.file;
    this.manifestFile = place.manifestFile;
  }

  static async open(place: DiskPlace): Promise<TrackedDisk> {
    const { size } = await stat(place.file);
    return new TrackedDisk(place, size, await ChangeTracking.open(`${place.file}.ctk`, size));
  }

  get sizeBytes(): number {
    return this.size;
  }

  trackingState(baseChangeId: string | null): TrackingState {
    return this.tracking.stateOf(baseChangeId);
  }

  /** The disk as it is when all that was asked for before is done. Somebody has to release it. */
  snapshot(): Promise<DiskSnapshot> {
    return this.inTurn(async () => {
      const source = await open(this.file, 'r');
      const { blocks } = await source.stat();
      const holes = blocks * STAT_BLOCK_BYTES < this.size ? await holesOf(this.file) : [];
      const moment = await this.tracking.snapshot(this.size);
      const snapshot = new DiskSnapshot(this.size, moment, source, holes, async (released) => {
        if (this.snapshots.delete(released)) await source.close();
      });
      this.snapshots.add(snapshot);
      return snapshot;
    });
  }

  write(offset: number, bytes: Buffer): Promise<void> {
    return this.change({ offset, length: bytes.length }, async (file) => {
      await file.write(bytes, 0, bytes.length, offset);
    });
  }

  /** Writes zeros; they take room. */
  zero(offset: number, length: number): Promise<void> {
    return this.change({ offset, length }, async (file) => {
      await file.write(Buffer.alloc(length), 0, length, offset);
    });
  }

  /** Makes a hole, which reads as zeros. */
  discard(offset: number, length: number): Promise<void> {
    return this.change({ offset, length }, async () => {
      if (length === 0) return;
      const range = ['--punch-hole', '--offset', String(offset), '--length', String(length)];
      await runProgram('fallocate', [...range, this.file]);
    });
  }

  /** What is cut off is gone; what is added reads as zeros. */
  resize(sizeBytes: number): Promise<void> {
    return this.inTurn(async () => {
      if (!Number.isInteger(sizeBytes) || sizeBytes <= 0) throw new RangeError(`no disk has ${sizeBytes} bytes`);
      if (sizeBytes < this.size) await this.keep({ offset: sizeBytes, length: this.size - sizeBytes });
      await this.tracking.resize(this.size, sizeBytes);
      await this.withFile((file) => file.truncate(sizeBytes));
      this.size = sizeBytes;
    });
  }

  resetTracking(): Promise<void> {
    return this.inTurn(() => this.tracking.reset());
  }

  turnTracking(on: boolean): Promise<void> {
    return this.inTurn(() => this.tracking.turn(on));
  }

  /** Copies what the guest holds now, holes as holes, and lets `edit` change the copy; what differs then is written back. */
  editCopy(copy: string, edit: () => Promise<void>): Promise<void> {
    return this.inTurn(async () => {
      await this.copyTo(copy);
      await edit();
      await this.takeOver(copy);
    });
  }

  /** Copies what the guest holds now, holes as holes. */
  snapshotCopy(toFile: string): Promise<void> {
    return this.inTurn(() => this.copyTo(toFile));
  }

  private async copyTo(toFile: string): Promise<void> {
    await runProgram('cp', ['--reflink=auto', '--sparse=always', this.file, toFile]);
  }

  private async takeOver(copy: string): Promise<void> {
    const changed = await open(copy, 'r');
    try {
      await this.withFile(async (file) => {
        for (const { offset, bytes } of await differences(file, changed, this.size)) {
          await this.announce({ offset, length: bytes.length });
          await file.write(bytes, 0, bytes.length, offset);
        }
      });
    } finally {
      await changed.close();
    }
  }

  private change({ offset, length }: Extent, how: (file: FileHandle) => Promise<void>): Promise<void> {
    return this.inTurn(async () => {
      if (!Number.isInteger(offset) || offset < 0 || !Number.isInteger(length) || length < 0) {
        throw new RangeError('a guest writes whole bytes at positions of its disk');
      }
      if (offset + length > this.size) throw new RangeError(`the disk ends at byte ${this.size}`);
      await this.announce({ offset, length });
      await this.withFile(how);
    });
  }

  /** Before bytes change: snapshots keep them, and tracking knows of it. */
  private async announce(extent: Extent): Promise<void> {
    await this.keep(extent);
    await this.tracking.mark(extent);
  }

  private async keep(extent: Extent): Promise<void> {
    for (const snapshot of this.snapshots) await snapshot.keep(extent);
  }

  private async withFile(work: (file: FileHandle) => Promise<void>): Promise<void> {
    const file = await open(this.file, 'r+');
    try {
      await work(file);
    } finally {
      await file.close();
    }
  }

  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.last.then(work);
    this.last = result.catch(() => undefined);
    return result;
  }
}
