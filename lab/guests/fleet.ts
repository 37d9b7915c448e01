import type { GuestTree } from './guest-tree.js';
import { databaseSystem, webData, webSystem, whoAmI } from './trees.js';

/** A VM as the lab's vCenter knows it. Sizes are in MiB. */
export interface GuestVm {
  /** BIOS UUID; the twins share it, as clones do. */
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly powerState: string;
  readonly guestOs: string;
  readonly memoryMb: number;
  readonly cpuCount: number;
  readonly disks: readonly GuestDisk[];
}

export interface GuestDisk {
  readonly deviceKey: number;
  readonly sizeMib: number;
  /** None at all: the disk has no partition table either. */
  readonly partitions: readonly GuestPartition[];
  /** A disk without partitions is full of the bytes of this seed; without one it is empty. */
  readonly seed?: string;
}

/** `ext4` partitions hold a tree, `unreadable` ones bytes that look like a filesystem at first glance and are none. */
export type GuestPartition =
  | { readonly kind: 'ext4'; readonly sizeMib: number; readonly plant: (tree: GuestTree) => void | Promise<void> }
  | { readonly kind: 'unreadable'; readonly sizeMib: number };

export const DATACENTER = 'Lab';

const TWIN_ID = '564d7a10-0000-4000-8000-0000000000aa';

/** The VMs of the lab. The first disk of each has the device key 2000, as in vCenter. */
export const FLEET: readonly GuestVm[] = [
  {
    id: '564d7a10-0000-4000-8000-000000000001',
    name: 'web-01',
    path: `/${DATACENTER}/vm/Production/web-01`,
    powerState: 'poweredOn',
    guestOs: 'linux',
    memoryMb: 4096,
    cpuCount: 2,
    disks: [
      {
        deviceKey: 2000,
        sizeMib: 128,
        partitions: [
          { kind: 'ext4', sizeMib: 112, plant: webSystem },
          { kind: 'unreadable', sizeMib: 8 },
        ],
      },
      { deviceKey: 2001, sizeMib: 64, partitions: [{ kind: 'ext4', sizeMib: 60, plant: webData }] },
    ],
  },
  {
    id: '564d7a10-0000-4000-8000-000000000002',
    name: 'db-01',
    path: `/${DATACENTER}/vm/Production/db-01`,
    powerState: 'poweredOn',
    guestOs: 'linux',
    memoryMb: 8192,
    cpuCount: 4,
    disks: [{ deviceKey: 2000, sizeMib: 48, partitions: [{ kind: 'ext4', sizeMib: 44, plant: databaseSystem }] }],
  },
  {
    id: '564d7a10-0000-4000-8000-000000000003',
    name: 'raw-01',
    path: `/${DATACENTER}/vm/Appliances/raw-01`,
    powerState: 'poweredOff',
    guestOs: 'unknown',
    memoryMb: 1024,
    cpuCount: 1,
    disks: [{ deviceKey: 2000, sizeMib: 16, partitions: [{ kind: 'unreadable', sizeMib: 12 }] }],
  },
  twin('Blue'),
  twin('Green'),
];

function twin(folder: string): GuestVm {
  const path = `/${DATACENTER}/vm/${folder}/twin`;
  return {
    id: TWIN_ID,
    name: 'twin',
    path,
    powerState: 'poweredOn',
    guestOs: 'linux',
    memoryMb: 512,
    cpuCount: 1,
    disks: [{ deviceKey: 2000, sizeMib: 8, partitions: [{ kind: 'ext4', sizeMib: 6, plant: whoAmI(path) }] }],
  };
}
