import { UnknownDisk, VmHasNoCredential, VmHasNoDisks } from '#domain/backup/backup.errors';
import type { PlannedDisk } from '#domain/backup/backup-plan';
import type { VmContextRow } from '#projections/inventory/vm-context.entity';

/**
 * The disks that a job copies, each with its image's place in the repository, and with which credential. Throws
 * VmHasNoDisks, UnknownDisk or VmHasNoCredential.
 */
export function plannedDisks(
  vm: VmContextRow,
  only: number | undefined,
  jobId: string,
): { readonly disks: readonly PlannedDisk[]; readonly credentialId: number } {
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
    image: `${vm.contextId}/disk-${disk.disk_id}/${jobId}.qcow2`,
  }));
  return { disks, credentialId: vm.credentialId };
}
