import { UnknownDisk, VmHasNoCredential, VmHasNoDisks } from '#domain/backup/backup.errors';
import type { VmContextRow } from '#projections/inventory/vm-context.entity';

/** A disk that a job is to copy, as it was when its VM was added. */
export interface ChosenDisk {
  readonly diskId: number;
  readonly deviceKey: number;
  readonly sizeBytes: number;
}

/**
 * The disks that a job copies, and with which credential. Throws VmHasNoDisks, UnknownDisk or VmHasNoCredential.
 */
export function chosenDisks(
  vm: VmContextRow,
  only: number | undefined,
): { readonly disks: readonly ChosenDisk[]; readonly credentialId: number } {
  if (vm.disks.length === 0) throw new VmHasNoDisks(vm.contextId);
  if (vm.credentialId === null) throw new VmHasNoCredential(vm.contextId);
  const wanted = vm.disks.filter((disk) => only === undefined || disk.disk_id === only);
  if (wanted.length === 0) {
    throw new UnknownDisk(
      only ?? 0,
      vm.disks.map((disk) => disk.disk_id),
    );
  }
  const disks = wanted.map((disk) => ({
    diskId: disk.disk_id,
    deviceKey: disk.device_key,
    sizeBytes: disk.capacity_bytes,
  }));
  return { disks, credentialId: vm.credentialId };
}
