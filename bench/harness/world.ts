import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { Api } from '#lab/demo/api';
import { Stage, type StageSettings } from '#lab/demo/stage';
import type { LabFacts, LabVm } from '#lab/lab';

import type { BenchGuest } from '../guests.js';
import type { BenchContext } from './bench.js';

/** Rarely enough to take nothing from the work; a job's times are told by the job itself. */
const LOOK_EVERY_MS = 50;
/** Where looking is itself part of what is measured. */
const LOOK_OFTEN_EVERY_MS = 10;

/** A job as the API tells of it; times are those of its events. */
export interface Job {
  readonly job_id: string;
  readonly status: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly created_at: string;
  readonly completed_at: string | null;
  readonly steps: readonly {
    readonly step: string;
    readonly started_at: string | null;
    readonly ended_at: string | null;
  }[];
}

export interface Backup {
  readonly backup_id: string;
  readonly disks: readonly { readonly disk_id: number; readonly file_path: string }[];
}

/** The world of one bench: a lab with its VMs, and an OMA of its own, in processes of their own, with a repository. */
export class World {
  private constructor(
    readonly stage: Stage,
    readonly api: Api,
    private readonly repository: { readonly id: string; readonly path: string },
    /** Takes it away before the bench is over. */
    readonly leave: () => Promise<void>,
  ) {}

  /** Builds the disks, starts lab and OMA, and adds the VMs. All of it goes with the leftovers. */
  static async enter(
    context: BenchContext,
    guests: readonly BenchGuest[],
    settings: Pick<StageSettings, 'oma'> = {},
  ): Promise<World> {
    const { dir, disksDir, scale, leftovers, tell } = context;
    const names = guests.map((guest) => guest.name);
    tell(`building the disks of ${names.join(', ')} and starting lab and OMA`);
    const entering = Stage.enter({
      ...settings,
      dirPrefix: join(dir, 's'),
      labDir: disksDir,
      labProgram: ['dist/bench/lab.main.js', '--vms', names.join(','), '--scale', String(scale)],
    });
    const leaving = once(async () => {
      const left = await entering.then((stage) => stage.leave());
      if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`);
    });
    leftovers.add(leaving);
    const stage = await entering;
    const api = new Api(stage.omaUrl);
    await api.signIn('admin', stage.password);
    const path = join(stage.dir, 'repository');
    const repository = { name: 'bench', type: 'local', config: { path } };
    const { id } = await api.post<{ id: string }>('/repositories', repository);
    const world = new World(stage, api, { id, path }, leaving);
    await world.addVms(names);
    return world;
  }

  /** The first disk of a guest as the agent reads it. */
  sourceOf(guest: BenchGuest): LabVm['disks'][number] {
    const disk = this.stage.labFacts.vms.find((vm) => vm.name === guest.name)?.disks[0];
    if (disk === undefined) throw new Error(`the lab has no disk of ${guest.name}`);
    return disk;
  }

  /** Lets a guest write to its first disk. */
  async write(guest: BenchGuest, offset: number, bytes: Buffer): Promise<void> {
    const { url, vms } = this.stage.labFacts as LabFacts & { readonly url: string };
    const vm = vms.find(({ name }) => name === guest.name);
    const response = await fetch(`${url}/lab/guest/write`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        vm_path: vm?.path,
        device_key: vm?.disks[0]?.deviceKey,
        offset,
        base64: bytes.toString('base64'),
      }),
    });
    if (!response.ok) throw new Error(`the guest could not write: ${await response.text()}`);
  }

  /** Takes a backup to its end. Throws unless it completed. */
  async backUp(guest: BenchGuest, type: 'full' | 'incremental' = 'full'): Promise<{ backup: Backup; job: Job }> {
    const body = { vm_name: guest.name, backup_type: type, repository_id: this.repository.id };
    const { backup_id } = await this.api.post<Backup>('/backup/start', body);
    const job = await this.completed(backup_id);
    return { backup: await this.api.get<Backup>(`/backup/${backup_id}`), job };
  }

  /** Where the image of a backup's first disk is. */
  imageOf(backup: Backup): string {
    return join(this.repository.path, backup.disks[0]?.file_path ?? '');
  }

  /** The job when it is over. Throws unless it completed. */
  async completed(jobId: string, lookEveryMs = LOOK_EVERY_MS): Promise<Job> {
    for (;;) {
      const job = await this.api.get<Job>(`/jobs/${jobId}`);
      if (job.status === 'completed') return job;
      if (job.status !== 'running') throw new Error(`job ${jobId} is ${job.status}: ${job.error?.message ?? ''}`);
      await pause(lookEveryMs);
    }
  }

  /** Compares a restore point with what was proven of it. Throws unless the comparison completed. */
  async verify({ backup_id }: Backup): Promise<void> {
    const { job_id } = await this.api.post<{ job_id: string }>(`/backup/${backup_id}/verify`, {});
    await this.completed(job_id);
  }

  /** Opens the first disk of a restore point for browsing and answers the mount's id as soon as it is open. */
  async mount({ backup_id, disks }: Backup): Promise<string> {
    const body = { backup_id, disk_id: disks[0]?.disk_id };
    const { mount_id } = await this.api.post<{ mount_id: string }>('/restore/mount', body);
    await this.completed(mount_id, LOOK_OFTEN_EVERY_MS);
    return mount_id;
  }

  /** Resolves when nothing of the mount is left. */
  async unmount(mountId: string): Promise<void> {
    await this.api.delete(`/restore/${mountId}`);
    while ((await this.api.get<{ count: number }>('/restore/mounts')).count > 0) await pause(LOOK_OFTEN_EVERY_MS);
  }

  private async addVms(names: readonly string[]): Promise<void> {
    const { host, username, datacenter } = this.stage.labFacts.vcenter;
    const { credential } = await this.api.post<{ credential: { id: number } }>('/vmware-credentials', {
      credential_name: 'bench',
      vcenter_host: host,
      username,
      password: this.stage.vcenterPassword,
      datacenter,
    });
    await this.api.post('/discovery/add-vms', { credential_id: credential.id, vm_names: names });
  }
}

/** Does it the first time only; later callers get the same end. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}

/** Seconds between two moments of a job. Throws when one of them is missing. */
export function secondsBetween(from: string | null | undefined, to: string | null | undefined): number {
  if (from == null || to == null) throw new Error('the job does not tell when it was there');
  return (Date.parse(to) - Date.parse(from)) / 1000;
}
