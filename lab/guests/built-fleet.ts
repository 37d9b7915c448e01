import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { makeDisk } from './disk-image.js';
import type { GuestDisk, GuestVm } from './fleet.js';

const MIB = 1024 * 1024;
/** Goes up when the disks' content changes, so that disks of another time aren't taken for today's. */
const EDITION = 1;

/** A VM whose disks exist as files. */
export interface BuiltVm extends Omit<GuestVm, 'disks'> {
  readonly disks: readonly BuiltDisk[];
}

export interface BuiltDisk {
  readonly deviceKey: number;
  readonly file: string;
  readonly sizeBytes: number;
  readonly manifestFile: string;
}

/** Builds the disks of the VMs in `dir`; those that are there already are kept. */
export async function buildFleet(dir: string, vms: readonly GuestVm[]): Promise<readonly BuiltVm[]> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const built: BuiltVm[] = [];
  for (const vm of vms) {
    const disks: BuiltDisk[] = [];
    for (const disk of vm.disks) disks.push(await buildDisk(dir, vm, disk));
    built.push({ ...vm, disks });
  }
  return built;
}

async function buildDisk(dir: string, vm: GuestVm, disk: GuestDisk): Promise<BuiltDisk> {
  const name = `${vm.path.split('/').slice(3).join('-')}-${disk.deviceKey}-v${EDITION}`;
  const file = join(dir, `${name}.img`);
  const manifestFile = join(dir, `${name}.json`);
  // The manifest is written last: where it is, the disk is whole.
  if (!existsSync(manifestFile)) {
    const manifest = await makeDisk(disk, file, join(dir, `${name}.tree`));
    await writeFile(`${manifestFile}.new`, JSON.stringify(manifest, null, 1), { mode: 0o600 });
    await rename(`${manifestFile}.new`, manifestFile);
  }
  return { deviceKey: disk.deviceKey, file, sizeBytes: disk.sizeMib * MIB, manifestFile };
}
