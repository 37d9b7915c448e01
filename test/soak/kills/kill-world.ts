import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { eventually } from '../../kit/eventually.js';
import { expectIdentical, type KeptPoint } from '../../kit/kept-points.js';
import { filesOfBackups, leftBehind } from '../../kit/left-behind.js';
import { OmaProcess } from '../../kit/oma-process.js';
import { endOf, protect, type ProtectedVm } from '../../kit/protected-vm.js';
import { seededRandom } from '../../kit/seeded-random.js';
import { startTestLab } from '../../kit/lab.js';

const VM = 'db-01';
const TERMINAL_WITHIN_SECONDS = 60;
const ASK_EVERY_MS = 150;
const FILES_PER_POINT = 3;
/** About how long each takes here, so that kills fall into all of its steps. */
const BACKUP_MS = 1500;
const MOUNT_MS = 800;
const OPEN = ['mounting', 'mounted', 'unmounting'];

/** An OMA that is killed again and again, with a VM to back up and a point to mount. */
export class KillWorld {
  private readonly points: string[] = [];

  private constructor(
    private readonly oma: OmaProcess,
    private readonly lab: Awaited<ReturnType<typeof startTestLab>>,
    private readonly vm: ProtectedVm,
  ) {}

  static async open(number: number): Promise<KillWorld> {
    const lab = await startTestLab();
    const first = 21_600 + number * 20;
    const oma = await OmaProcess.start({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: `${first}-${first + 19}` });
    const world = new KillWorld(oma, lab, await protect(oma.api, lab, VM, oma.dataDir));
    const backupId = await world.start('full');
    await endOf(oma.api, backupId, TERMINAL_WITHIN_SECONDS, ASK_EVERY_MS);
    world.points.push(backupId);
    return world;
  }

  async close(): Promise<void> {
    await this.oma.clear();
    await this.lab.clear();
  }

  /** Answers what was going on and how it ended; throws when anything isn't over in time, is left, or isn't true. */
  async kill(seed: number): Promise<string> {
    const random = seededRandom(seed);
    const kind = ['full', 'auto', 'mount', 'unmount'][Math.floor(random() * 4)] ?? 'auto';
    const share = random();
    const end = kind === 'full' || kind === 'auto' ? await this.backup(kind, share) : await this.mount(kind, share);
    this.requireNothingLeft();
    return `${kind} ${end}`;
  }

  private async start(type: string): Promise<string> {
    const { status, body } = await this.oma.api.post('/backup/start', {
      vm_name: this.vm.contextId,
      repository_id: this.vm.repositoryId,
      backup_type: type,
    });
    if (status !== 202) throw new Error(`start answered ${status}: ${JSON.stringify(body)}`);
    return String(body['backup_id']);
  }

  private async backup(type: string, share: number): Promise<string> {
    const backupId = await this.start(type);
    await pause(share * BACKUP_MS);
    await this.restart();
    const job = await endOf(this.oma.api, backupId, TERMINAL_WITHIN_SECONDS, ASK_EVERY_MS);
    if (job['status'] === 'completed') {
      this.points.push(backupId);
      const { body } = await this.oma.api.get(`/backup/${backupId}`);
      const truth = new Map(
        (this.lab.vms.find(({ name }) => name === VM)?.disks ?? []).map((disk) => [disk.deviceKey, disk.file]),
      );
      expectIdentical(this.vm, { backupId, job, backup: body as KeptPoint['backup'], truth });
    }
    return String(job['status']);
  }

  /** Opening is killed, or closing; afterwards the mount can be closed and is gone. */
  private async mount(kind: string, share: number): Promise<string> {
    const opening = this.oma.api.post('/restore/mount', { backup_id: this.points[0] });
    if (kind === 'mount') {
      opening.catch(() => undefined);
      await pause(share * MOUNT_MS);
    } else {
      const mountId = String((await opening).body['mount_id']);
      await endOf(this.oma.api, mountId, TERMINAL_WITHIN_SECONDS, ASK_EVERY_MS);
      this.oma.api.delete(`/restore/${mountId}`).catch(() => undefined);
      await pause(share * MOUNT_MS);
    }
    await this.restart();
    return eventually(() => this.closeMounts(), TERMINAL_WITHIN_SECONDS, ASK_EVERY_MS);
  }

  private async closeMounts(): Promise<string> {
    const { body } = await this.oma.api.get<{ mounts: { mount_id: string; status: string }[] }>('/restore/mounts');
    for (const { mount_id: id, status } of body.mounts) {
      if (status === 'mounted') await this.oma.api.delete(`/restore/${id}`);
    }
    if (body.mounts.some(({ status }) => OPEN.includes(status))) throw new Error('a mount is not closed');
    return 'closed';
  }

  private async restart(): Promise<void> {
    await this.oma.kill();
    await this.oma.restart();
  }

  private requireNothingLeft(): void {
    const left = leftBehind(join(this.oma.dataDir, 'run'));
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
    const files = filesOfBackups(this.vm.repositoryPath);
    const expected = this.points.length * FILES_PER_POINT;
    if (files.length !== expected) throw new Error(`${files.length} files instead of ${expected}: ${files.join(', ')}`);
  }
}
