import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';

import { type Lab, startLab } from '#lab/lab';

import { DiskWorld, run } from './disk-world.js';
import { eventually } from './eventually.js';

type LabOptions = Parameters<typeof startLab>[0];
type Vms = NonNullable<LabOptions['vms']>;

export const MIB = 1024 * 1024;

/** An image that an agent writes to, served by qemu-nbd until `end`. */
export interface ServedImage {
  readonly file: string;
  readonly sizeBytes: number;
  readonly nbdUrl: string;
  end(): Promise<void>;
}

/** What the agent tells of a job. */
export interface JobProgress {
  readonly status: string;
  readonly sync_type: string;
  readonly bytes_transferred: number;
  readonly total_bytes: number;
  readonly last_error: string | null;
  readonly disk_progresses: readonly {
    readonly device_key: number;
    readonly bytes_transferred: number;
    readonly total_bytes: number;
    readonly status: string;
    readonly mode?: string;
    readonly base_change_id?: string | null;
    readonly change_id?: string | null;
  }[];
}

export interface OrderedCopy {
  readonly image: ServedImage;
  readonly deviceKey?: number;
  /** A change id: an increment since then. */
  readonly base?: string | null;
}

/** One VM with one disk of seeded bytes and no partitions. */
export function tinyVm(sizeMib = 2, disks = 1): Vms {
  return [
    {
      id: '564d7a10-0000-4000-8000-0000000000f1',
      name: 'tiny',
      path: '/Lab/vm/tiny',
      powerState: 'poweredOn',
      guestOs: 'linux',
      memoryMb: 256,
      cpuCount: 1,
      disks: Array.from({ length: disks }, (_, index) => ({
        deviceKey: 2000 + index,
        sizeMib,
        partitions: [],
        seed: `tiny ${index}`,
      })),
    },
  ];
}

/** A lab of the test's own with copies of its first VM's disks in real images. */
export class LabCopies {
  private readonly world = new DiskWorld();
  private readonly servers: ChildProcess[] = [];
  private made = 0;
  private running: Lab | null = null;
  private options: Partial<LabOptions> = {};

  async start(options: Partial<LabOptions> = { vms: tinyVm() }): Promise<Lab> {
    this.options = options;
    this.running = await startLab({ dir: this.world.path('lab'), port: 0, ...options });
    return this.running;
  }

  /** Ends the lab and begins it again with the same disks. */
  async restart(options: Partial<LabOptions> = this.options): Promise<Lab> {
    await this.lab.stop();
    return this.start(options);
  }

  get lab(): Lab {
    if (this.running === null) throw new Error('the lab was not started');
    return this.running;
  }

  get vm() {
    const vm = this.lab.vms[0];
    if (vm === undefined) throw new Error('the lab has no VM');
    return vm;
  }

  path(name: string): string {
    return this.world.path(name);
  }

  guest(deviceKey = 2000) {
    return this.lab.guest(this.vm.path, deviceKey);
  }

  sizeOf(deviceKey = 2000): number {
    return this.vm.disks.find((disk) => disk.deviceKey === deviceKey)?.sizeBytes ?? 0;
  }

  call(method: string, path: string, body?: object): Promise<Response> {
    return fetch(this.lab.url + path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  }

  /** Serves a new image, empty or above `backing`. */
  async image(sizeBytes = this.sizeOf(), backing?: string): Promise<ServedImage> {
    this.made += 1;
    const file = this.world.path(`image-${this.made}.qcow2`);
    const above = backing === undefined ? [] : ['-b', backing, '-F', 'qcow2'];
    run('qemu-img', 'create', '-q', '-f', 'qcow2', ...above, file, String(sizeBytes));
    const port = await freePort();
    const server = spawn('qemu-nbd', [
      '-f',
      'qcow2',
      '-b',
      '127.0.0.1',
      '-p',
      String(port),
      '-x',
      'export',
      '-t',
      file,
    ]);
    this.servers.push(server);
    const nbdUrl = `nbd://127.0.0.1:${port}/export`;
    await eventually(() => run('nbdinfo', '--size', nbdUrl));
    return { file, sizeBytes, nbdUrl, end: () => ended(server) };
  }

  account() {
    const { host, username, password } = this.lab.vcenter;
    return { vm_path: this.vm.path, vcenter_host: host, vcenter_user: username, vcenter_password: password };
  }

  order(jobId: string, copies: readonly OrderedCopy[]) {
    const base = copies.map((copy) => copy.base ?? '').find((one) => one !== '') ?? '';
    return {
      job_id: jobId,
      vm_name: this.vm.name,
      ...this.account(),
      nbd_host: '127.0.0.1',
      nbd_targets: copies.map(({ deviceKey = 2000, image }) => `${deviceKey}:${image.nbdUrl}`).join(','),
      backup_type: base === '' ? 'full' : 'incremental',
      previous_change_id: base,
      disks: copies.map(({ image, deviceKey = 2000, base: since = null }) => ({
        device_key: deviceKey,
        nbd_url: image.nbdUrl,
        mode: since === null ? 'full' : 'incremental',
        base_change_id: since,
        size_bytes: image.sizeBytes,
      })),
    };
  }

  begin(jobId: string, copies: readonly OrderedCopy[]): Promise<Response> {
    return this.call('POST', '/api/v1/backup/start', this.order(jobId, copies));
  }

  async progress(jobId: string): Promise<JobProgress> {
    return (await (await this.call('GET', `/api/v1/progress/${jobId}`)).json()) as JobProgress;
  }

  /** What the agent tells of a job when it is over. */
  whenOver(jobId: string): Promise<JobProgress> {
    return eventually(async () => {
      const told = await this.progress(jobId);
      if (told.status !== 'completed' && told.status !== 'failed') throw new Error(`not yet: ${told.status}`);
      return told;
    }, 30);
  }

  /** Copies one disk; resolves when the image is whole on the host. */
  async backUp(jobId: string, copy: OrderedCopy): Promise<JobProgress['disk_progresses'][number]> {
    const answer = await this.begin(jobId, [copy]);
    if (!answer.ok) throw new Error(await answer.text());
    const told = await this.whenOver(jobId);
    await copy.image.end();
    const [disk] = told.disk_progresses;
    if (told.status !== 'completed' || disk === undefined) throw new Error(told.last_error ?? 'no disk');
    return disk;
  }

  /** A full backup, and the change id to go on from. */
  async full(jobId: string): Promise<{ readonly image: ServedImage; readonly changeId: string }> {
    const image = await this.image();
    const { change_id } = await this.backUp(jobId, { image });
    return { image, changeId: change_id ?? '' };
  }

  /** Whether an image, with all beneath it, holds what a raw file holds. */
  holds({ file }: ServedImage, raw: string): boolean {
    try {
      run('qemu-img', 'compare', '-q', '-f', 'qcow2', '-F', 'raw', file, raw);
      const { 'virtual-size': size } = JSON.parse(run('qemu-img', 'info', '--output=json', file)) as {
        'virtual-size': number;
      };
      return size === statSync(raw).size;
    } catch {
      return false;
    }
  }

  /** A copy of what the guest holds now. */
  async now(name: string, deviceKey = 2000): Promise<string> {
    const file = this.world.path(name);
    await this.guest(deviceKey).snapshotCopy(file);
    return file;
  }

  async clear(): Promise<void> {
    await this.running?.stop();
    for (const server of this.servers) await ended(server);
    await this.world.clear();
  }
}

export const KIB64 = 64 * 1024;

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill();
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
