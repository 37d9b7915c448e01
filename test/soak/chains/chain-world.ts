import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import type { Json } from '../../kit/api-client.js';
import { filesOfBackups, leftBehind } from '../../kit/left-behind.js';
import { OmaProcess } from '../../kit/oma-process.js';
import { endOf, protect, type ProtectedVm } from '../../kit/protected-vm.js';
import { seededRandom } from '../../kit/seeded-random.js';
import { MIB, smallVm, startSmallLab } from '../../kit/small-guests.js';
import { DISK_BYTES, type Operation } from './operations.js';

const TERMINAL_WITHIN_SECONDS = 60;
/** Seldom enough that the asking doesn't keep OMA busy. */
const ASK_EVERY_MS = 150;
const PATH = '/Lab/vm/soak';
/** Image, sidecar and manifest. */
const FILES_PER_DISK = 3;

interface Point {
  readonly backupId: string;
  readonly disks: readonly { readonly image: string; readonly truth: string }[];
}

/** What the guest's disk is known to be for the decision whether an increment is possible. */
interface DiskMemory {
  epoch: number;
  sizeBytes: number;
  /** At the newest point; null without one. */
  head: { readonly epoch: number; readonly sizeBytes: number } | null;
}

/** A VM, its agent and an OMA of their own. Sequences are run in it one after another, each in a new repository. */
export class ChainWorld {
  private made = 0;
  private copies = 0;
  private points: Point[] = [];
  private memory: DiskMemory[] = [];
  private vm: ProtectedVm;

  private constructor(
    private readonly oma: OmaProcess,
    private readonly lab: Awaited<ReturnType<typeof startSmallLab>>,
    protectedVm: ProtectedVm,
  ) {
    this.vm = protectedVm;
  }

  static async open(number: number, disks: number): Promise<ChainWorld> {
    const lab = await startSmallLab([
      smallVm(
        'soak',
        Array.from({ length: disks }, () => DISK_BYTES / MIB),
      ),
    ]);
    const first = 21_500 + number * 20;
    const oma = await OmaProcess.start({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: `${first}-${first + 19}` });
    return new ChainWorld(oma, lab, await protect(oma.api, lab, 'soak', oma.dataDir));
  }

  async close(): Promise<void> {
    await this.oma.clear();
    await this.lab.clear();
  }

  /** Runs the operations on fresh disks; throws at the first thing that isn't as it must be. */
  async run(operations: readonly Operation[], seed: number): Promise<void> {
    await this.begin(seed);
    for (const operation of operations) await this.perform(operation);
    await this.requireEveryPoint();
    this.requireNothingElse();
    rmSync(this.vm.repositoryPath, { recursive: true, force: true });
    rmSync(this.truthFolder(), { recursive: true, force: true });
  }

  private get disks() {
    return this.lab.vms[0]?.disks ?? [];
  }

  private guest(disk: number) {
    return this.lab.guest(PATH, this.disks[disk]?.deviceKey ?? -1);
  }

  private truthFolder(): string {
    return join(this.lab.folder, `truth-${this.made}`);
  }

  private async begin(seed: number): Promise<void> {
    this.lab.misbehave({});
    this.made += 1;
    mkdirSync(this.truthFolder());
    const path = join(this.oma.dataDir, `sequence-${this.made}`);
    const { body } = await this.oma.api.post<{ id: string }>('/repositories', {
      name: `sequence ${this.made}`,
      type: 'local',
      config: { path },
    });
    this.vm = { ...this.vm, repositoryId: body.id, repositoryPath: path };
    this.points = [];
    const random = seededRandom(seed ^ 0x5eed);
    for (const index of this.disks.keys()) {
      const guest = this.guest(index);
      await guest.resize(DISK_BYTES);
      await guest.discard(0, DISK_BYTES);
      await guest.write(0, Buffer.from(Array.from({ length: 128 * 1024 }, () => Math.floor(random() * 256))));
    }
    this.memory = this.disks.map(() => ({ epoch: 0, sizeBytes: DISK_BYTES, head: null }));
  }

  private async perform(operation: Operation): Promise<void> {
    switch (operation.do) {
      case 'write':
        return this.guest(operation.disk).write(operation.offset, Buffer.alloc(operation.length, operation.fill));
      case 'zero':
        return this.guest(operation.disk).zero(operation.offset, operation.length);
      case 'discard':
        return this.guest(operation.disk).discard(operation.offset, operation.length);
      case 'reset':
        this.remember(operation.disk).epoch += 1;
        return this.guest(operation.disk).resetTracking();
      case 'resize':
        this.remember(operation.disk).sizeBytes = operation.sizeBytes;
        return this.guest(operation.disk).resize(operation.sizeBytes);
      case 'restart':
        await this.oma.stop();
        return this.oma.restart();
      case 'backup':
        return this.backup(operation);
    }
  }

  private remember(disk: number): DiskMemory {
    const found = this.memory[disk];
    if (found === undefined) throw new Error('no such disk');
    return found;
  }

  private async backup(operation: Extract<Operation, { do: 'backup' }>): Promise<void> {
    const truth = await this.truths();
    const { then, atByte } = operation;
    if (then === 'fail') this.lab.misbehave({ fail_at_byte: atByte });
    if (then === 'cancel' || then === 'kill') this.lab.misbehave({ hang_at_byte: atByte });
    const started = await this.start(operation.type);
    if (started === null) {
      this.lab.misbehave({});
      return;
    }
    if (then === 'cancel' || then === 'kill') {
      await pause(operation.afterMs);
      if (then === 'kill') {
        await this.oma.kill();
        this.lab.misbehave({});
        await this.oma.restart();
      } else await this.oma.api.post(`/jobs/${started}/cancel`);
    }
    const job = await endOf(this.oma.api, started, TERMINAL_WITHIN_SECONDS, ASK_EVERY_MS);
    this.lab.misbehave({});
    this.requireEnd(job, then);
    if (job['status'] === 'completed') await this.keep(started, truth);
  }

  /** The job's id; null when the increment that was demanded was rightly refused. */
  private async start(type: string): Promise<string | null> {
    const { status, body } = await this.oma.api.post('/backup/start', {
      vm_name: this.vm.contextId,
      repository_id: this.vm.repositoryId,
      backup_type: type,
    });
    const possible = this.memory.every(
      ({ epoch, sizeBytes, head }) => head !== null && head.epoch === epoch && head.sizeBytes === sizeBytes,
    );
    const expected = type === 'incremental' && !possible ? 422 : 202;
    if (status !== expected)
      throw new Error(`start answered ${status} instead of ${expected}: ${JSON.stringify(body)}`);
    return status === 202 ? String(body['backup_id']) : null;
  }

  private requireEnd(job: Json, then: string): void {
    const allowed: Record<string, readonly string[]> = {
      complete: ['completed'],
      fail: ['failed', 'completed'],
      cancel: ['cancelled', 'completed'],
      kill: ['failed', 'completed'],
    };
    const { status, error, leftovers } = job;
    if (!(allowed[then] ?? []).includes(String(status)) || JSON.stringify(leftovers) !== '[]') {
      throw new Error(`a backup that should ${then} ended ${JSON.stringify({ status, error, leftovers })}`);
    }
  }

  private async truths(): Promise<readonly string[]> {
    const files: string[] = [];
    for (const index of this.disks.keys()) {
      this.copies += 1;
      const file = join(this.truthFolder(), `${this.copies}.raw`);
      await this.guest(index).snapshotCopy(file);
      files.push(file);
    }
    return files;
  }

  private async keep(backupId: string, truth: readonly string[]): Promise<void> {
    const { body } = await this.oma.api.get<{ disks: { file_path: string }[] }>(`/backup/${backupId}`);
    this.points.push({
      backupId,
      disks: body.disks.map(({ file_path: image }, index) => ({ image, truth: truth[index] ?? '' })),
    });
    for (const disk of this.memory) disk.head = { epoch: disk.epoch, sizeBytes: disk.sizeBytes };
  }

  /** The API shows exactly the points that should exist, and each is what the guest held then. */
  private async requireEveryPoint(): Promise<void> {
    const { body } = await this.oma.api.get<{ backups: { backup_id: string }[] }>(
      `/backup/list?repository_id=${this.vm.repositoryId}&status=completed&limit=100`,
    );
    const shown = body.backups.map(({ backup_id: id }) => id).toSorted();
    const expected = this.points.map(({ backupId }) => backupId).toSorted();
    if (shown.join() !== expected.join()) throw new Error(`points ${shown.join()} instead of ${expected.join()}`);
    for (const { backupId, disks } of this.points) {
      for (const { image, truth } of disks) {
        requireIdentical(backupId, join(this.vm.repositoryPath, image), truth);
      }
    }
  }

  private requireNothingElse(): void {
    const left = leftBehind(join(this.oma.dataDir, 'run'));
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
    const files = filesOfBackups(this.vm.repositoryPath);
    const expected = this.points.reduce((sum, { disks }) => sum + disks.length * FILES_PER_DISK, 0);
    if (files.length !== expected) throw new Error(`${files.length} files instead of ${expected}: ${files.join(', ')}`);
  }
}

/** Bit by bit and of the same size; qemu-img opens the chain by itself, as somebody without OMA would. */
function requireIdentical(backupId: string, image: string, truth: string): void {
  const args = ['compare', '-f', 'qcow2', '-F', 'raw', image, truth];
  const { status, stdout, stderr } = spawnSync('qemu-img', args, { encoding: 'utf8' });
  if (status !== 0 || stdout.includes('mismatch')) {
    throw new Error(`point ${backupId} is not what the guest held: ${stdout}${stderr}`);
  }
}
