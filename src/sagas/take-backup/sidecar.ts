import type { BackupPlan, DiskProof } from '#domain/backup/backup-plan';
import type { JsonObject } from '#domain/kernel/event';

/**
 * What a stranger needs to restore one disk with `qemu-img` alone, kept beside the image. The names are those of the
 * contract's sidecar (contract-c 2.9).
 */
export function sidecarOf(plan: BackupPlan, proof: DiskProof): JsonObject {
  return {
    backup_id: plan.jobId,
    vm_context_id: plan.contextId,
    vm_name: plan.vmName,
    vm_path: plan.vmPath,
    disk_id: proof.diskId,
    device_key: proof.deviceKey,
    backup_type: plan.backupType,
    parent_backup_id: null,
    change_id: proof.changeId,
    size_bytes: proof.fileSizeBytes,
    total_bytes: proof.virtualSizeBytes,
    format: 'qcow2',
    restore_with: 'qemu-img convert -f qcow2 -O raw IMAGE DISK',
  };
}
