import { DiskMover } from '../copy/disk-mover.js';
import type { HashedRange } from '../copy/hashed-ranges.js';
import type { BuiltVm } from '../guests/built-fleet.js';
import type { DiskSnapshot } from '../guests/disk-snapshot.js';
import { bytesOf } from '../tracking/extents.js';
import type { OrderedDisk } from './backup-order.js';
import { type CopyPlan, planOf } from './copy-plan.js';
import type { Misbehaviour } from './misbehaviour.js';
import { diskLabel } from './vcenter.js';

/** How far one disk of a run is. */
export interface DiskRun {
  readonly ordered: OrderedDisk;
  readonly label: string;
  plan: CopyPlan | null;
  /** What is to be copied; the disk's size as long as there is no plan. */
  totalBytes: number;
  bytesTransferred: number;
  changeId: string | null;
  complete: boolean;
  hashes: readonly HashedRange[];
}

/** What a run needs of OMA, and what it lets OMA know. */
export interface RunContacts {
  /** From which change id on a disk is to be copied, when the order doesn't say; null: everything. */
  askBase(jobId: string, vmName: string): Promise<string | null>;
  /** Tells how far the run is, again and again, until what it answers is called. */
  follow(run: BackupRun): () => void;
  /** A disk is complete; the run goes on when this resolves. */
  completed(run: BackupRun, disk: DiskRun): Promise<void>;
  /** The agent ends or is gone: whatever is being told isn't told any more. */
  abandon(): void;
}

/** One backup: all its disks as they were when it was prepared, copied one after another. */
export class BackupRun {
  readonly startedAt = new Date();
  readonly disks: readonly DiskRun[];
  status: 'Queued' | 'Streaming' | 'completed' | 'failed' = 'Queued';
  error: string | null = null;
  private readonly ending = new AbortController();
  private snapshots: readonly DiskSnapshot[] = [];

  constructor(
    readonly jobId: string,
    readonly vm: BuiltVm,
    ordered: readonly OrderedDisk[],
    private readonly misbehaviour: Misbehaviour,
    private readonly contacts: RunContacts,
  ) {
    this.disks = ordered.map((one) => ({
      ordered: one,
      label: diskLabel(one.index),
      plan: null,
      totalBytes: one.disk.sizeBytes,
      bytesTransferred: 0,
      changeId: null,
      complete: false,
      hashes: [],
    }));
  }

  get bytesTransferred(): number {
    return this.disks.reduce((sum, disk) => sum + disk.bytesTransferred, 0);
  }

  get totalBytes(): number {
    return this.disks.reduce((sum, disk) => sum + disk.totalBytes, 0);
  }

  /** Takes the snapshots: what the guest writes afterwards is no part of the backup. */
  async prepare(): Promise<void> {
    this.snapshots = await Promise.all(this.disks.map(({ ordered }) => ordered.disk.snapshot()));
  }

  /** Resolves when the run ended, however it ended. */
  async run(): Promise<void> {
    try {
      await this.copy();
      if (this.status === 'Streaming') this.status = 'completed';
    } catch (error) {
      this.status = 'failed';
      this.error = this.ending.signal.aborted ? String(this.ending.signal.reason) : describe(error);
    } finally {
      await Promise.all(this.snapshots.map((snapshot) => snapshot.release()));
    }
  }

  /** Ends the copy where it is; nothing happens when the run ended already. */
  stop(reason: string): void {
    this.ending.abort(reason);
  }

  private async copy(): Promise<void> {
    const { refuse_nbd } = this.misbehaviour.settings;
    if (refuse_nbd !== undefined) throw new Error(refuse_nbd);
    const pairs = this.disks.flatMap((disk, index) => {
      const snapshot = this.snapshots[index];
      return snapshot === undefined ? [] : [{ disk, snapshot }];
    });
    // All plans before the first byte: an increment that can't be made leaves every export as it is.
    const askBase = () => this.contacts.askBase(this.jobId, this.vm.name);
    for (const { disk, snapshot } of pairs) {
      disk.plan = await planOf(disk.ordered, snapshot, this.misbehaviour, askBase);
      disk.totalBytes = bytesOf(disk.plan.extents);
    }
    this.status = 'Streaming';
    let jobOffset = 0;
    for (const { disk, snapshot } of pairs) {
      if (!(await this.copyOne(disk, snapshot, jobOffset))) return;
      jobOffset += disk.totalBytes;
    }
  }

  /** Answers whether the run goes on. */
  private async copyOne(disk: DiskRun, snapshot: DiskSnapshot, jobOffset: number): Promise<boolean> {
    const { extents = [], isIncrement = false } = disk.plan ?? {};
    const copied = (bytes: number) => {
      disk.bytesTransferred += bytes;
    };
    const jobBytes = this.totalBytes;
    const copy = { snapshot, extents, isIncrement, target: disk.ordered.target, jobOffset, jobBytes, copied };
    const { turn, hashes } = await new DiskMover(copy, this.misbehaviour, this.ending.signal).run();
    if (turn !== 'go on') return false;
    disk.complete = true;
    disk.hashes = hashes;
    disk.changeId = snapshot.moment.changeId;
    await this.contacts.completed(this, disk);
    return true;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
