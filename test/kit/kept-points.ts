import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { Lab } from '#lab/lab';

import type { ApiClient, Json } from './api-client.js';
import { endOf, type ProtectedVm } from './protected-vm.js';

/** A restore point with copies of what the guest's disks held when it was taken. */
export interface KeptPoint {
  readonly backupId: string;
  readonly job: Json;
  /** The backup as the API shows it. */
  readonly backup: Json & { readonly disks: readonly Json[] };
  /** By device key. */
  readonly truth: ReadonlyMap<number, string>;
}

let copies = 0;

/** Takes a backup of a lab's VM and keeps beside it what its disks hold now; nobody may change them meanwhile. */
export async function takePoint(
  api: ApiClient,
  lab: Lab,
  vm: ProtectedVm,
  vmPath: string,
  folder: string,
  order: Json = {},
): Promise<KeptPoint> {
  const truth = new Map<number, string>();
  for (const { deviceKey } of lab.vms.find(({ path }) => path === vmPath)?.disks ?? []) {
    copies += 1;
    const file = join(folder, `truth-${copies}.raw`);
    await lab.guest(vmPath, deviceKey).snapshotCopy(file);
    truth.set(deviceKey, file);
  }
  const started = await api.post('/backup/start', {
    vm_name: vm.contextId,
    repository_id: vm.repositoryId,
    backup_type: 'auto',
    ...order,
  });
  if (started.status !== 202) throw new Error(`the backup was not started: ${JSON.stringify(started.body)}`);
  const backupId = String(started.body['backup_id']);
  const job = await endOf(api, backupId);
  const { body } = await api.get(`/backup/${backupId}`);
  return { backupId, job, backup: body as KeptPoint['backup'], truth };
}

/** Restores every disk of a point with qemu-img alone, its chain moved to another folder, and compares it bit by bit. */
export function expectIdentical(vm: ProtectedVm, { backup, truth }: KeptPoint): void {
  for (const disk of backup.disks) {
    const image = String(disk['file_path']);
    const moved = mkdtempSync(join(vm.repositoryPath, '..', 'moved-'));
    try {
      mkdirSync(join(moved, 'elsewhere'));
      cpSync(join(vm.repositoryPath, image, '..'), join(moved, 'elsewhere'), { recursive: true });
      const restored = join(moved, 'restored.raw');
      const file = join(moved, 'elsewhere', image.split('/').at(-1) ?? '');
      execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', file, restored]);
      execFileSync('cmp', [restored, truth.get(Number(disk['device_key'])) ?? '']);
    } finally {
      rmSync(moved, { recursive: true, force: true });
    }
  }
}
