import { DATACENTER, type GuestVm } from '#lab/guests/fleet';
import type { GuestTree } from '#lab/guests/guest-tree';
import { seededBytes } from '#lab/guests/seeded-bytes';

const MIB = 1024 * 1024;
const FILE_MIB = 16;
/** Less than this would not hold a filesystem with its journal and a few files. */
const SMALLEST_MIB = 64;
/** Room for a partition table before the filesystem and after it. */
const AROUND_PARTITION_MIB = 4;

/** A VM with one disk: an ext4 filesystem with a tree of files. Sizes are those of the goals, multiplied by `scale`. */
export interface BenchGuest {
  readonly name: string;
  readonly sizeMib: number;
  plant(tree: GuestTree, scale: number): void;
}

/** The disk that the goals speak of: 2 GiB, 1 GiB of it data. */
export const FULL_DISK: BenchGuest = {
  name: 'two-gib',
  sizeMib: 2048,
  plant: (tree, scale) => {
    plantData(tree, 1024 * scale);
  },
};

/** Four of them, backed up at once. */
export const FOUR: readonly BenchGuest[] = ['four-1', 'four-2', 'four-3', 'four-4'].map((name) => ({
  name,
  sizeMib: 1024,
  plant: (tree, scale) => {
    plantData(tree, 512 * scale);
  },
}));

const SMALL_FILES = 1000;
const SMALL_FILE_BYTES = 4000;

/** With a folder of large and of many small files, to be taken away as an archive, and another a quarter as large. */
export const FOLDER: BenchGuest = {
  name: 'folder',
  sizeMib: 256,
  plant: (tree, scale) => {
    plantData(tree, 96 * scale);
    tree.folder('quarter');
    tree.file('quarter/one', seededBytes('quarter', 24 * scale * MIB));
    tree.folder('data/small');
    for (let index = 0; index < SMALL_FILES * scale; index++) {
      tree.file(`data/small/${index}.txt`, seededBytes(`small ${index}`, SMALL_FILE_BYTES / 2).toString('hex'));
    }
  },
};

/** Its guest writes between two points. */
export const CHANGING: BenchGuest = {
  name: 'changing',
  sizeMib: 1024,
  plant: (tree, scale) => {
    plantData(tree, 256 * scale);
  },
};

/** Small: what is of interest is the log that its life leaves. The name is replaced in copies of that log. */
export const RECORDED: BenchGuest = {
  name: 'vm-00000',
  sizeMib: 64,
  plant: (tree) => {
    plantData(tree, 1);
  },
};

export const GUESTS: readonly BenchGuest[] = [FULL_DISK, ...FOUR, FOLDER, CHANGING, RECORDED];

/** The guest as a VM of the lab's vCenter. */
export function asVm(guest: BenchGuest, scale: number): GuestVm {
  const sizeMib = Math.max(SMALLEST_MIB, Math.ceil(guest.sizeMib * scale));
  const number = String(GUESTS.indexOf(guest)).padStart(12, '0');
  return {
    id: `564d7a10-0000-4000-8001-${number}`,
    name: guest.name,
    path: `/${DATACENTER}/vm/Bench/${guest.name}`,
    powerState: 'poweredOn',
    guestOs: 'linux',
    memoryMb: 1024,
    cpuCount: 1,
    disks: [
      {
        deviceKey: 2000,
        sizeMib,
        partitions: [
          {
            kind: 'ext4',
            sizeMib: sizeMib - AROUND_PARTITION_MIB,
            plant: (tree) => {
              guest.plant(tree, scale);
            },
          },
        ],
      },
    ],
  };
}

/** Files of 16 MiB: one of random bytes, one of their hexadecimal digits, which compress to half, and so on. */
function plantData(tree: GuestTree, sizeMib: number): void {
  tree.folder('data');
  const files = Math.ceil(sizeMib / FILE_MIB);
  for (let index = 0; index < files; index++) {
    const seed = `data ${index}`;
    const bytes = FILE_MIB * MIB;
    const content =
      index % 2 === 0 ? seededBytes(seed, bytes) : Buffer.from(seededBytes(seed, bytes / 2).toString('hex'), 'latin1');
    tree.file(`data/${String(index).padStart(3, '0')}`, content);
  }
}
