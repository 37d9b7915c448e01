import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { basename } from 'node:path';

import type { GuestDisk, GuestPartition } from './fleet.js';
import { GuestTree } from './guest-tree.js';
import type { DiskManifest } from './manifest.js';
import { runProgram } from './program.js';
import { seededBytes } from './seeded-bytes.js';

const MIB = 1024 * 1024;
const SECTORS_PER_MIB = 2048;
const FIRST_PARTITION_MIB = 1;

interface PlacedPartition {
  readonly partition: GuestPartition;
  readonly number: number;
  readonly startMib: number;
}

/**
 * Makes a raw, sparse disk at `file`, with a GUID partition table if it has partitions, and answers what is on it.
 * `scratch` is a folder of its own that is made and removed. Nothing is mounted, so no privilege is needed.
 */
export async function makeDisk(disk: GuestDisk, file: string, scratch: string): Promise<DiskManifest> {
  const image = await open(file, 'w', 0o600);
  try {
    await image.truncate(disk.sizeMib * MIB);
    if (disk.seed !== undefined) await image.write(seededBytes(disk.seed, disk.sizeMib * MIB), 0);
  } finally {
    await image.close();
  }
  const placed = place(disk.partitions);
  if (placed.length > 0) await writePartitionTable(file, placed);
  let manifest: DiskManifest = { partition: null, files: [], others: [] };
  for (const { partition, number, startMib } of placed) {
    if (partition.kind === 'unreadable') {
      await writeUnreadable(file, startMib, partition.sizeMib);
    } else {
      await rm(scratch, { recursive: true, force: true });
      await mkdir(scratch, { mode: 0o700 });
      try {
        const tree = new GuestTree(scratch);
        await partition.plant(tree);
        await writeExt4(file, scratch, startMib, partition.sizeMib);
        manifest = { partition: number, files: tree.files, others: tree.others };
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    }
  }
  return manifest;
}

function place(partitions: readonly GuestPartition[]): readonly PlacedPartition[] {
  let startMib = FIRST_PARTITION_MIB;
  return partitions.map((partition, index) => {
    const placed = { partition, number: index + 1, startMib };
    startMib += partition.sizeMib;
    return placed;
  });
}

async function writePartitionTable(file: string, placed: readonly PlacedPartition[]): Promise<void> {
  const lines = placed.map(
    ({ partition, number, startMib }) =>
      `start=${startMib * SECTORS_PER_MIB}, size=${partition.sizeMib * SECTORS_PER_MIB}, type=linux, uuid=${seededUuid(`${basename(file)} partition ${number}`)}`,
  );
  await runProgram(
    'sfdisk',
    ['--quiet', file],
    ['label: gpt', `label-id: ${seededUuid(`${basename(file)} table`)}`, ...lines, ''].join('\n'),
  );
}

async function writeExt4(file: string, folder: string, startMib: number, sizeMib: number): Promise<void> {
  const extended = `offset=${startMib * MIB},hash_seed=${seededUuid('hash seed')},lazy_itable_init=1,nodiscard`;
  const uuid = seededUuid(`${basename(file)} filesystem`);
  await runProgram('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', folder, '-E', extended, '-U', uuid, file, `${sizeMib}M`]);
}

/** Bytes that begin as XFS does and mean nothing after that. */
async function writeUnreadable(file: string, startMib: number, sizeMib: number): Promise<void> {
  const image = await open(file, 'r+');
  try {
    const bytes = seededBytes(`unreadable at ${startMib}`, sizeMib * MIB);
    bytes.write('XFSB', 0, 'latin1');
    await image.write(bytes, 0, bytes.length, startMib * MIB);
  } finally {
    await image.close();
  }
}

function seededUuid(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
