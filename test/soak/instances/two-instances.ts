import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { FLEET } from '#lab/guests/fleet';
import type { Lab } from '#lab/lab';

import { eventually } from '../../kit/eventually.js';
import { OmaProcess } from '../../kit/oma-process.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../../kit/protected-vm.js';
import { smallVm, startSmallLab } from '../../kit/small-guests.js';
import { AgentRecord } from './agent-record.js';
import { StartedPrograms } from './started-programs.js';
import type { Place } from './writers.js';

const NAMES = ['soak-1', 'soak-2', 'soak-3', 'soak-4', 'soak-5', 'soak-6'];
const MOUNTED = 'twin';
const MOUNTED_PATH = '/Lab/vm/Blue/twin';
const MOUNT_IDLE_SECONDS = 8;
const SETTLED_WITHIN_SECONDS = 120;
const OPEN = ['mounting', 'mounted', 'unmounting'];

/** Two OMAs on one database, an agent that both know, small VMs to back up and a point to mount. */
export class TwoInstances {
  readonly killedAtMs: number[] = [];

  private constructor(
    readonly instances: readonly [OmaProcess, OmaProcess],
    readonly lab: Awaited<ReturnType<typeof startSmallLab>>,
    readonly agent: AgentRecord,
    readonly programs: StartedPrograms,
    readonly vm: ProtectedVm,
    readonly place: Place,
    /** Ends all of it. */
    readonly close: () => Promise<void>,
  ) {}

  static async open(): Promise<TwoInstances> {
    const folder = mkdtempSync(join(tmpdir(), 'oma-instances-'));
    const vms = [...FLEET.filter(({ path }) => path === MOUNTED_PATH), ...NAMES.map((name) => smallVm(name, [1]))];
    const lab = await startSmallLab(vms);
    const agent = await AgentRecord.before(lab.url);
    const programs = new StartedPrograms(join(folder, 'programs'));
    const settings = {
      OMA_VMA_URL: agent.url,
      OMA_NBD_PORTS: '21700-21779',
      OMA_MASTER_KEY: 'ab'.repeat(32),
      OMA_MOUNT_IDLE_SECONDS: String(MOUNT_IDLE_SECONDS),
      PATH: programs.path,
    };
    const first = await OmaProcess.start(settings);
    const second = await OmaProcess.beside(first, settings);
    const close = async () => {
      await second.clear();
      await first.clear();
      await agent.close();
      await lab.clear();
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      const { vm, place } = await preparePlace([first, second], lab, folder);
      return new TwoInstances([first, second], lab, agent, programs, vm, place, close);
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** Kills one or the other, or both, at random moments, and starts it again. */
  async killAtRandom(random: () => number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await pause(500 + random() * 4000);
      const dice = random();
      const chosen = this.instances.filter((_, index) => dice > 0.9 || Math.floor(dice / 0.45) === index);
      await Promise.all(
        chosen.map(async (instance) => {
          this.killedAtMs.push(Date.now());
          await instance.kill();
          await pause(random() * 1500);
          await instance.restart();
        }),
      );
    }
  }

  /** Waits until nothing is under way any more. */
  async settle(): Promise<void> {
    const [{ api }] = this.instances;
    await eventually(
      async () => {
        const { body } = await api.get<{ mounts: { mount_id: string; status: string }[] }>('/restore/mounts');
        for (const { mount_id: id, status } of body.mounts) {
          if (status === 'mounted') await api.delete(`/restore/${id}`);
        }
        if (body.mounts.some(({ status }) => OPEN.includes(status))) throw new Error('a mount is not closed');
        const running = await api.get<{ jobs: { job_id: string }[] }>('/jobs?status=running&limit=100');
        if (running.body.jobs.length > 0) throw new Error(`jobs are running: ${JSON.stringify(running.body.jobs)}`);
      },
      SETTLED_WITHIN_SECONDS,
      250,
    );
  }
}

/** What the writers write to and about: VMs under care, and a point to mount. */
async function preparePlace(
  instances: readonly [OmaProcess, OmaProcess],
  lab: Lab,
  folder: string,
): Promise<{ readonly vm: ProtectedVm; readonly place: Place }> {
  const [{ api }] = instances;
  const vm = await protect(api, lab, MOUNTED, folder);
  const added = await api.post<{ processed_vms: { vm_name: string; context_id: string }[] }>('/discovery/add-vms', {
    credential_id: vm.credentialId,
    vm_names: NAMES,
  });
  const point = await startBackup(api, vm);
  const { status } = await endOf(api, point);
  if (status !== 'completed') throw new Error(`the point to mount is ${String(status)}`);
  mkdirSync(join(folder, 'more'));
  const place = {
    instances,
    folder: join(folder, 'more'),
    vms: added.body.processed_vms.map(({ context_id: contextId }, index) => ({ name: NAMES[index] ?? '', contextId })),
    repositoryId: vm.repositoryId,
    credentialId: vm.credentialId,
    pointToMount: point,
  };
  return { vm, place };
}
