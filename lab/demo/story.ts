import { createHash } from 'node:crypto';

import type { ManifestFile } from '../guests/manifest.js';
import type { Api } from './api.js';
import type { FileReport, StepReport } from './report.js';
import type { Screen } from './screen.js';
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
  readonly disks: readonly { readonly disk_id: number; readonly device_key: number; readonly size_bytes: number }[];
}

const POLL_MS = 150;

/** The product's main job, told as it goes. */
export class Story {
  readonly steps: StepReport[] = [];
  readonly ids: Record<string, string | number> = {};
  readonly files: FileReport[] = [];
  disks: Backup['disks'] = [];
  private trail: readonly AuditRow[] = [];

  constructor(private readonly cast: Cast) {}

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
    this.cast.screen.say('the audit trail: who did what, when, and what led to it');
    this.cast.screen.show(trailLines(this.trail));
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

  private async unmount(): Promise<string> {
    await this.cast.api.delete(`/restore/${this.ids['mount_id'] ?? ''}`);
    return 'unmounted';
  }
}

function gib(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(2);
}

/** Percent-encodes the bytes of a path; a name of a guest needn't be text. */
function encodePath(path: Buffer): string {
  return [...path]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9/._~-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
    })
    .join('');
}

/** Names of guests may hold anything, also control characters that a terminal would obey. */
function printable(name: string): string {
  return name.replaceAll(/\p{C}/gu, '?');
}
