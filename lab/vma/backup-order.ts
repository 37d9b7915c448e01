import { z } from 'zod';

import type { BuiltVm } from '../guests/built-fleet.js';
import type { TrackedDisk } from '../guests/tracked-disk.js';
import type { NbdTarget } from '../nbd/nbd-client.js';
import { Refusal } from './refusal.js';

const NBD_URL = /^nbd:\/\/(127\.0\.0\.1):(\d{1,5})\/([^/?#]+)$/;

const required = z.string({ error: 'is required' }).min(1, 'is required');

/** What every question about a VM's disks names. */
export const vmAccess = z.object({
  vm_path: required,
  vcenter_host: required,
  vcenter_user: required,
  vcenter_password: required,
});

const jobOrder = vmAccess.extend({ job_id: required, vm_name: required, nbd_targets: required });

const modernOrder = jobOrder
  .extend({
    backup_type: z.enum(['full', 'incremental'], { error: "must be 'full' or 'incremental'" }),
    previous_change_id: z.string().default(''),
    disks: z
      .array(
        z
          .object({
            device_key: z.int(),
            nbd_url: z.string().regex(NBD_URL, 'must be nbd://127.0.0.1:<port>/<export>'),
            mode: z.enum(['full', 'incremental'], { error: "must be 'full' or 'incremental'" }),
            base_change_id: z.string().nullable(),
            size_bytes: z.int().positive(),
          })
          .refine((disk) => disk.mode === 'full' || (disk.base_change_id ?? '') !== '', {
            path: ['base_change_id'],
            error: 'is required for incremental disks',
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

type ModernOrder = z.infer<typeof modernOrder>;

/** A disk of the order beside the disk of the VM it means. */
export interface OrderedDisk {
  readonly disk: TrackedDisk;
  /** Its place among the disks of the VM, from 0. */
  readonly index: number;
  readonly target: NbdTarget;
  /** `ask`: OMA knows from which change id on, if any. */
  readonly mode: 'full' | 'incremental' | 'ask';
  readonly baseChangeId: string | null;
}

/** The order of a job as one kind of agent understands it. */
export interface OrderReader {
  readonly schema: z.ZodType<z.infer<typeof jobOrder>>;
  /** Throws the refusal when the VM hasn't got one of the disks, or in another size. */
  disks(body: unknown, vm: BuiltVm): readonly OrderedDisk[];
}

/** Today's agent: every disk of the order says how it is to be copied. */
export const modernOrders: OrderReader = {
  schema: modernOrder,
  disks: (body, vm) => modernOrder.parse(body).disks.map((ordered) => modernDisk(ordered, vm)),
};

/** An agent of old: one disk per job, whose id ends with OMA's number of the disk, and of that disk only key and export. */
export const legacyOrders: OrderReader = {
  schema: jobOrder.extend({ job_id: z.string().regex(/^backup-.+-disk\d+$/, 'must be backup-<job>-disk<number>') }),
  disks: (body, vm) => {
    const { nbd_targets } = jobOrder.parse(body);
    const [, key = '', url = ''] = /^(\d+):(.+)$/.exec(nbd_targets) ?? [];
    if (!NBD_URL.test(url)) throw new Refusal(400, 'nbd_targets must be <device key>:nbd://127.0.0.1:<port>/<export>');
    return [{ ...found(Number(key), vm), target: nbdTarget(url), mode: 'ask', baseChangeId: null }];
  },
};

function modernDisk(ordered: ModernOrder['disks'][number], vm: BuiltVm): OrderedDisk {
  const { disk, index } = found(ordered.device_key, vm);
  if (disk.sizeBytes !== ordered.size_bytes) {
    throw new Refusal(500, `disk ${disk.deviceKey} has ${disk.sizeBytes} bytes, not ${ordered.size_bytes}`);
  }
  const { mode, base_change_id: baseChangeId } = ordered;
  return { disk, index, target: nbdTarget(ordered.nbd_url), mode, baseChangeId };
}

function found(deviceKey: number, vm: BuiltVm): { readonly disk: TrackedDisk; readonly index: number } {
  const index = vm.disks.findIndex((disk) => disk.deviceKey === deviceKey);
  const disk = vm.disks[index];
  if (disk === undefined) throw new Refusal(500, `VM '${vm.path}' has no disk with key ${deviceKey}`);
  return { disk, index };
}

function nbdTarget(url: string): NbdTarget {
  const [, host = '', port = '', exportName = ''] = NBD_URL.exec(url) ?? [];
  return { host, port: Number(port), exportName: decodeURIComponent(exportName) };
}
