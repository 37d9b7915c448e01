import type { BackupOrder } from './vma-client.port.js';

/**
 * The legacy fields (contract-c 5.6), and beside them what each disk is told. `previous_change_id` can hold one base only and
 * must not be empty for an increment: an agent that reads it is given one disk per job, so that it is that disk's.
 */
export function startBody({ jobId, vmName, vmPath, account, disks }: BackupOrder): object {
  const base = disks.find((disk) => disk.baseChangeId !== null)?.baseChangeId ?? null;
  return {
    job_id: jobId,
    vm_name: vmName,
    vm_path: vmPath,
    vcenter_host: account.vcenterHost,
    vcenter_user: account.username,
    vcenter_password: account.password,
    nbd_host: '127.0.0.1',
    nbd_targets: disks.map((disk) => `${disk.deviceKey}:${disk.nbdUrl}`).join(','),
    backup_type: base === null ? 'full' : 'incremental',
    previous_change_id: base ?? '',
    disks: disks.map((disk) => ({
      device_key: disk.deviceKey,
      nbd_url: disk.nbdUrl,
      mode: disk.baseChangeId === null ? 'full' : 'incremental',
      base_change_id: disk.baseChangeId,
      size_bytes: disk.sizeBytes,
    })),
  };
}
