import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { makeDisk } from './disk-image.js';
import type { GuestDisk, GuestVm } from './fleet.js';
import { TrackedDisk } from './tracked-disk.js';

/** Goes up when the disks' content changes, so that disks of another time aren't taken for today's. */
const EDITION = 1;

/** A VM whose disks exist as files. */
export interface BuiltVm extends Omit<GuestVm, 'disks'> {
  readonly disks: readonly TrackedDisk[];
}

/** Builds the disks of the VMs in `dir`; those that are there already are kept, as their guests left them. */
export async function buildFleet(dir: string, vms: readonly GuestVm[]): Promise<readonly BuiltVm[]> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const built: BuiltVm[] = [];
  for (const vm of vms) {
    const disks: TrackedDisk[] = [];
    for (const disk of vm.disks) disks.push(await buildDisk(dir, vm, disk));
    built.push({ ...vm, disks });
  }
  return built;
}

async function buildDisk(dir: string, vm: GuestVm, disk: GuestDisk): Promise<TrackedDisk> {
  const name = `${vm.path.split('/').slice(3).join('-')}-${disk.deviceKey}-v${EDITION}`;
  const file = join(dir, `${name}.img`);
  const manifestFile = join(dir, `${name}.json`);
  // The manifest is written last: where it is, the disk is whole.
  if (!existsSync(manifestFile)) {
    await rm(`${file}.ctk`, { force: true });
    const manifest = await makeDisk(disk, file, join(dir, `${name}.tree`));
    await writeFile(`${manifestFile}.new`, JSON.stringify(manifest, null, 1), { mode: 0o600 });
    await rename(`${manifestFile}.new`, manifestFile);
  }
  return TrackedDisk.open({ deviceKey: disk.deviceKey, file, manifestFile });
}
