import { createHash } from 'node:crypto';

import type { ManifestFile } from '../guests/manifest.js';
import type { Api } from './api.js';
import { chainOf, compareWithTruth, type DemoDisk, DemoGuest } from './chain.js';
import type { FileReport, PointReport, StepReport } from './report.js';
import type { Screen } from './screen.js';
import { encodePath, gib, printable } from './words.js';
import { type AuditRow, countEvents, trailLines } from './trail.js';

export interface Cast {
  readonly api: Api;
  readonly screen: Screen;
  readonly password: string;
  readonly vcenter: {
    readonly host: string;
    readonly username: string;
    readonly password: string;
    readonly datacenter: string;
  };
  readonly vmName: string;
  readonly repositoryPath: string;
  /** The disk that is mounted and changed. */
  readonly disk: DemoDisk;
  /** Where what its guest held is kept. */
  readonly truthFolder: string;
  /** Files of the first partition of the disk that is mounted. */
  readonly files: readonly ManifestFile[];
}

interface Job {
  readonly status: string;
  readonly error?: { readonly message: string } | null;
  readonly progress_percent?: number;
}

interface Backup {
  readonly backup_id: string;
  readonly disks: readonly {
    readonly disk_id: number;
    readonly device_key: number;
    readonly size_bytes: number;
    readonly bytes_transferred: number;
    readonly mode: string;
  }[];
}

const POLL_MS = 150;

/** The product's main job, told as it goes. */
export class Story {
  readonly steps: StepReport[] = [];
  readonly ids: Record<string, string | number> = {};
  readonly files: FileReport[] = [];
  disks: Backup['disks'] = [];
  readonly points: PointReport[] = [];
  private readonly guest: DemoGuest;
  private readonly truths: string[] = [];
  private trail: readonly AuditRow[] = [];

  constructor(private readonly cast: Cast) {
    this.guest = new DemoGuest(cast.disk, cast.truthFolder);
  }

  async tell(): Promise<void> {
    await this.step('sign in', () => this.signIn());
    await this.step('store vCenter credentials', () => this.storeCredentials());
    await this.step('create a repository', () => this.createRepository());
    await this.step('discover VMs and add one', () => this.addVm());
    await this.step('full backup of every disk', () => this.takeBackup());
    await this.step('mount the restore point', () => this.mount());
    await this.step('list a folder', () => this.list());
    await this.step('download and compare', () => this.compare());
    await this.step('unmount', () => this.unmount());
    await this.step('the guest changes files', () => this.changeFiles());
    await this.step('back up what changed', () => this.takeIncrement());
    await this.step('show the chain', () => this.showChain());
    await this.step('compare oldest and newest', () => this.comparePoints());
    this.cast.screen.show(['the audit trail: who did what, when, and what led to it', ...trailLines(this.trail)]);
  }

  private async step(name: string, work: () => Promise<string>): Promise<void> {
    const began = performance.now();
    const known = this.trail.length;
    const outcome = await work();
    const seconds = Number(((performance.now() - began) / 1000).toFixed(3));
    this.trail = await this.readTrail();
    this.steps.push({ name, seconds, events: countEvents(this.trail.slice(known)) });
    this.cast.screen.say(outcome);
  }

  private async readTrail(): Promise<readonly AuditRow[]> {
    const rows: AuditRow[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: { events: AuditRow[]; next_cursor: string | null } = await this.cast.api.get(
        `/audit?limit=500${query}`,
      );
      rows.push(...page.events);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return rows.sort((one, other) => (one.position < other.position ? -1 : 1));
  }

  private async signIn(): Promise<string> {
    await this.cast.api.signIn('admin', this.cast.password);
    return 'signed in as admin';
  }

  private async storeCredentials(): Promise<string> {
    const { host, username, password, datacenter } = this.cast.vcenter;
    const { credential } = await this.cast.api.post<{ credential: { id: number } }>('/vmware-credentials', {
      credential_name: 'lab vCenter',
      vcenter_host: host,
      username,
      password,
      datacenter,
    });
    this.ids['credential_id'] = credential.id;
    return `stored the credentials of ${host}; the password is in the vault, encrypted`;
  }

  private async createRepository(): Promise<string> {
    const repository = await this.cast.api.post<{ id: string; storage_info: { available_bytes: number } }>(
      '/repositories',
      {
        name: 'demo repository',
        type: 'local',
        config: { path: this.cast.repositoryPath },
      },
    );
    this.ids['repository_id'] = repository.id;
    return `created a local repository with ${gib(repository.storage_info.available_bytes)} GiB available`;
  }

  private async addVm(): Promise<string> {
    const credential_id = this.ids['credential_id'];
    const found = await this.cast.api.post<{ discovered_vms: { id: string; name: string }[] }>(
      '/discovery/discover-vms',
      {
        credential_id,
      },
    );
    const wanted = found.discovered_vms.find((vm) => vm.name === this.cast.vmName);
    if (wanted === undefined) throw new Error(`the lab has no VM ${this.cast.vmName}`);
    const added = await this.cast.api.post<{ processed_vms: { context_id: string }[] }>('/discovery/add-vms', {
      credential_id,
      vm_names: [wanted.name],
    });
    this.ids['context_id'] = added.processed_vms[0]?.context_id ?? '';
    return `found ${found.discovered_vms.length} VMs and added ${this.cast.vmName}`;
  }

  private async takeBackup(): Promise<string> {
    const { api, screen, vmName } = this.cast;
    this.truths.push(await this.guest.keep('oldest'));
    const started = await api.post<Backup>('/backup/start', {
      vm_name: vmName,
      backup_type: 'full',
      repository_id: this.ids['repository_id'],
    });
    this.ids['backup_id'] = started.backup_id;
    await this.finished(started.backup_id, (job) => {
      screen.bar('copying', (job.progress_percent ?? 0) / 100);
    });
    const backup = await api.get<Backup>(`/backup/${started.backup_id}`);
    this.disks = backup.disks;
    const bytes = backup.disks.reduce((sum, disk) => sum + disk.size_bytes, 0);
    return `backed up ${backup.disks.length} disks, ${gib(bytes)} GiB, exports ended cleanly, images checked`;
  }

  private async finished(jobId: string, seen: (job: Job) => void): Promise<void> {
    for (;;) {
      const job = await this.cast.api.get<Job>(`/jobs/${jobId}`);
      seen(job);
      if (job.status === 'completed') return;
      if (job.status !== 'running') throw new Error(`job ${jobId} is ${job.status}: ${job.error?.message ?? ''}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  private async mount(): Promise<string> {
    const disk = this.disks[0]?.disk_id ?? 0;
    const body = { backup_id: this.ids['backup_id'], disk_id: disk };
    const mounted = await this.cast.api.post<{ mount_id: string; filesystem_type: string }>('/restore/mount', body);
    this.ids['mount_id'] = mounted.mount_id;
    await this.finished(mounted.mount_id, () => undefined);
    return `opened disk ${disk} of the restore point (${mounted.filesystem_type}), read-only, in user space`;
  }

  private async list(): Promise<string> {
    const { api, screen } = this.cast;
    const listing = await api.get<{ files: { name: string; type: string; size: number }[]; total_count: number }>(
      `/restore/${this.ids['mount_id'] ?? ''}/files?path=/`,
    );
    screen.show(
      listing.files
        .slice(0, 8)
        .map((file) => `${file.type.padEnd(9)} ${String(file.size).padStart(10)}  ${printable(file.name)}`),
    );
    return `listed ${listing.total_count} entries at the root of the guest's filesystem`;
  }

  private async compare(): Promise<string> {
    const { files, screen } = this.cast;
    let bytes = 0;
    for (const [index, file] of files.entries()) {
      const path = encodePath(Buffer.from(file.path, 'base64'));
      const restored = createHash('sha256');
      let size = 0;
      for await (const chunk of await this.cast.api.stream(
        `/restore/${this.ids['mount_id'] ?? ''}/download?path=${path}`,
      )) {
        restored.update(chunk);
        size += chunk.byteLength;
      }
      bytes += size;
      this.files.push({
        path,
        partition: 1,
        size_bytes: size,
        source_sha256: file.sha256,
        restored_sha256: restored.digest('hex'),
      });
      screen.bar('comparing', (index + 1) / files.length);
    }
    const different = this.files.filter((file) => file.source_sha256 !== file.restored_sha256);
    if (different.length > 0) throw new Error(`${different.length} files differ from the source`);
    return `downloaded ${files.length} files, ${(bytes / 1024 ** 2).toFixed(1)} MiB; every byte equals the source`;
  }

  private async changeFiles(): Promise<string> {
    const write = { '/added-by-the-guest.txt': `written at ${new Date().toISOString()}\n` };
    await this.guest.changeFiles(write, []);
    this.truths.push(await this.guest.keep('newest'));
    return 'the guest wrote a file';
  }

  private async takeIncrement(): Promise<string> {
    const { api, screen, vmName } = this.cast;
    const started = await api.post<Backup>('/backup/start', {
      vm_name: vmName,
      backup_type: 'auto',
      repository_id: this.ids['repository_id'],
    });
    this.ids['incremental_backup_id'] = started.backup_id;
    await this.finished(started.backup_id, (job) => {
      screen.bar('copying', (job.progress_percent ?? 0) / 100);
    });
    const backup = await api.get<Backup>(`/backup/${started.backup_id}`);
    const bytes = backup.disks.reduce((sum, disk) => sum + disk.bytes_transferred, 0);
    const modes = backup.disks.map(({ mode }) => mode).join(', ');
    return `backed up ${(bytes / 1024).toFixed(0)} KiB that had changed (${modes})`;
  }

  private async showChain(): Promise<string> {
    const { api, screen, disk } = this.cast;
    const { layers, lines } = await chainOf(api, String(this.ids['context_id']), disk.diskId);
    screen.show(lines);
    return `the chain of disk ${disk.diskId} has ${layers.length} layers`;
  }

  private async comparePoints(): Promise<string> {
    const { api, disk, repositoryPath } = this.cast;
    const { layers } = await chainOf(api, String(this.ids['context_id']), disk.diskId);
    for (const [index, layer] of layers.entries()) {
      this.points.push(await compareWithTruth(repositoryPath, layer, this.truths[index] ?? ''));
    }
    if (!this.points.every(({ identical }) => identical)) throw new Error('a point differs from what the guest held');
    return `${this.points.length} points, read with qemu-img alone, are bit by bit what the guest held then`;
  }

  private async unmount(): Promise<string> {
    await this.cast.api.delete(`/restore/${this.ids['mount_id'] ?? ''}`);
    return 'unmounted';
  }
}
