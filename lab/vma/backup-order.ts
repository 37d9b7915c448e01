import { z } from 'zod';

import type { BuiltDisk, BuiltVm } from '../guests/built-fleet.js';
import type { NbdTarget } from '../nbd/nbd-client.js';
import { Refusal } from './refusal.js';

const NBD_URL = /^nbd:\/\/(127\.0\.0\.1):(\d{1,5})\/([^/?#]+)$/;

const required = z.string({ error: 'is required' }).min(1, 'is required');

export const backupOrder = z
  .object({
    job_id: required,
    vm_name: required,
    vcenter_host: required,
    vcenter_user: required,
    vcenter_password: required,
    vm_path: required,
    nbd_targets: required,
    backup_type: z.enum(['full', 'incremental'], { error: "must be 'full' or 'incremental'" }),
    previous_change_id: z.string().default(''),
    disks: z
      .array(
        z.object({
          device_key: z.int(),
          nbd_url: z.string().regex(NBD_URL, 'must be nbd://127.0.0.1:<port>/<export>'),
          mode: z.literal('full', { error: "must be 'full': the lab's disks have no changed blocks" }),
          base_change_id: z.string().nullable(),
          size_bytes: z.int().positive(),
        }),
      )
      .min(1, 'must name a disk'),
  })
  .refine((order) => order.backup_type === 'full' || order.previous_change_id !== '', {
    path: ['previous_change_id'],
    error: 'is required for incremental backups',
  })
  .refine(({ disks }) => new Set(disks.map((disk) => disk.device_key)).size === disks.length, {
    path: ['disks'],
    error: 'must name each disk once',
  });

export type BackupOrder = z.infer<typeof backupOrder>;

/** A disk of the order beside the disk of the VM it means. */
export interface OrderedDisk {
  readonly disk: BuiltDisk;
  /** Its place among the disks of the VM, from 0. */
  readonly index: number;
  readonly target: NbdTarget;
}

/** Finds the disks of an order. Throws the refusal when the VM hasn't got one of them, or in another size. */
export function orderedDisks(order: BackupOrder, vm: BuiltVm): readonly OrderedDisk[] {
  return order.disks.map((ordered) => {
    const index = vm.disks.findIndex(({ deviceKey }) => deviceKey === ordered.device_key);
    const disk = vm.disks[index];
    if (disk === undefined) throw new Refusal(500, `VM '${vm.path}' has no disk with key ${ordered.device_key}`);
    if (disk.sizeBytes !== ordered.size_bytes) {
      throw new Refusal(500, `disk ${disk.deviceKey} has ${disk.sizeBytes} bytes, not ${ordered.size_bytes}`);
    }
    return { disk, index, target: nbdTarget(ordered.nbd_url) };
  });
}

function nbdTarget(url: string): NbdTarget {
  const [, host = '', port = '', exportName = ''] = NBD_URL.exec(url) ?? [];
  return { host, port: Number(port), exportName: decodeURIComponent(exportName) };
}
