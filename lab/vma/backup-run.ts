import { randomBytes } from 'node:crypto';

import type { BuiltVm } from '../guests/built-fleet.js';
import type { OrderedDisk } from './backup-order.js';
import { copyDisk } from './data-mover.js';
import type { Misbehaviour } from './misbehaviour.js';
import { diskLabel } from './vcenter.js';

/** How far one disk of a run is. */
export interface DiskRun {
  readonly ordered: OrderedDisk;
  readonly label: string;
  bytesTransferred: number;
  changeId: string | null;
  complete: boolean;
}

/** One backup: its disks are copied one after another. */
export class BackupRun {
  readonly startedAt = new Date();
  readonly disks: readonly DiskRun[];
  readonly totalBytes: number;
  status: 'Queued' | 'Streaming' | 'completed' | 'failed' = 'Queued';
  error: string | null = null;
  private readonly ending = new AbortController();

  constructor(
    readonly jobId: string,
    readonly vm: BuiltVm,
    ordered: readonly OrderedDisk[],
    private readonly misbehaviour: Misbehaviour,
  ) {
    this.disks = ordered.map((one) => ({
      ordered: one,
      label: diskLabel(one.index),
      bytesTransferred: 0,
      changeId: null,
      complete: false,
    }));
    this.totalBytes = ordered.reduce((sum, { disk }) => sum + disk.sizeBytes, 0);
  }

  get bytesTransferred(): number {
    return this.disks.reduce((sum, disk) => sum + disk.bytesTransferred, 0);
  }

  /** Resolves when the run ended, however it ended. */
  async run(): Promise<void> {
    try {
      await this.copy();
      if (this.status === 'Streaming') this.status = 'completed';
    } catch (error) {
      this.status = 'failed';
      this.error = this.ending.signal.aborted ? String(this.ending.signal.reason) : describe(error);
    }
  }

  /** Ends the copy where it is; nothing happens when the run ended already. */
  stop(reason: string): void {
    this.ending.abort(reason);
  }

  private async copy(): Promise<void> {
    const { refuse_nbd } = this.misbehaviour.settings;
    if (refuse_nbd !== undefined) throw new Error(refuse_nbd);
    this.status = 'Streaming';
    let jobOffset = 0;
    for (const disk of this.disks) {
      const { file, sizeBytes } = disk.ordered.disk;
      const copied = (bytes: number) => {
        disk.bytesTransferred += bytes;
      };
      const copy = { file, sizeBytes, target: disk.ordered.target, jobOffset, jobBytes: this.totalBytes, copied };
      const turn = await copyDisk(copy, this.misbehaviour, this.ending.signal);
      if (turn !== 'go on') return;
      disk.complete = true;
      disk.changeId = newChangeId();
      jobOffset += sizeBytes;
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** As vCenter writes them: sixteen bytes in pairs of digits, a hyphen in their middle, and a number that counts up. */
function newChangeId(): string {
  const pairs = [...randomBytes(16)].map((byte) => byte.toString(16).padStart(2, '0'));
  return `${pairs.slice(0, 8).join(' ')}-${pairs.slice(8).join(' ')}/1`;
}
