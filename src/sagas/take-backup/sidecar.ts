import type { BackupPlan, DiskProof, PlannedDisk } from '#domain/backup/backup-plan';
import { layersOf } from '#domain/backup/backup-plan';
import type { JsonObject } from '#domain/kernel/event';

/**
 * What a stranger needs to restore one disk with `qemu-img` alone, kept beside the image. The names are those of the
 * contract's sidecar (contract-c 2.9); files are named relative to the image.
 */
export function sidecarOf(plan: BackupPlan, disk: PlannedDisk, proof: DiskProof): JsonObject {
  const { mode } = disk;
  return {
    backup_id: plan.jobId,
    vm_context_id: plan.contextId,
    vm_name: plan.vmName,
    vm_path: plan.vmPath,
    disk_id: proof.diskId,
    device_key: proof.deviceKey,
    backup_type: mode.is,
    parent_backup_id: mode.is === 'incremental' ? mode.parent.backupId : null,
    base_change_id: mode.is === 'incremental' ? mode.parent.changeId : null,
    change_id: proof.changeId,
    size_bytes: proof.fileSizeBytes,
    total_bytes: proof.virtualSizeBytes,
    format: 'qcow2',
    image: nameOf(disk.image),
    chain: [...layersOf(disk), disk.image].map((image) => nameOf(image)),
    manifest: `${nameOf(disk.image)}.manifest`,
    manifest_sha256: proof.manifestSha256,
    restore_with: `qemu-img convert -f qcow2 -O raw ${nameOf(disk.image)} DISK (all files of "chain" in one folder)`,
  };
}

function nameOf(image: string): string {
  return image.slice(image.lastIndexOf('/') + 1);
}
