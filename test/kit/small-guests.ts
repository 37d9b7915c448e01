import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { GuestVm } from '#lab/guests/fleet';
import { type Lab, startLab } from '#lab/lab';

export const MIB = 1024 * 1024;
export const KIB = 1024;

/** A VM with raw disks, as many as there are sizes; device keys begin at 2000, with a gap after the first. */
export function smallVm(name: string, sizesMib: readonly number[]): GuestVm {
  return {
    id: `564d7a10-0000-4000-8000-${Buffer.from(name.padEnd(6).slice(0, 6)).toString('hex')}`,
    name,
    path: `/Lab/vm/${name}`,
    powerState: 'poweredOn',
    guestOs: 'linux',
    memoryMb: 512,
    cpuCount: 1,
    disks: sizesMib.map((sizeMib, index) => ({
      deviceKey: index === 0 ? 2000 : 2015 + index,
      sizeMib,
      partitions: [],
    })),
  };
}

/** A lab of the test's own, whose guests may be changed. */
export async function startSmallLab(
  vms: readonly GuestVm[],
  more: Partial<Parameters<typeof startLab>[0]> = {},
): Promise<Lab & { readonly folder: string; clear(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'oma-small-lab-'));
  const lab = await startLab({ dir: folder, port: 0, vms, ...more });
  const clear = async () => {
    await lab.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return Object.assign(lab, { folder, clear });
}
