import type { VmContextRow } from '#projections/inventory/vm-context.entity';
import type { VmContextDisk } from '#projections/inventory/vm-context.projection';

/** The contract's `VmContext` (contract-a 2.1). Jobs and schedules in it are those of replication. */
export interface VmContextResponse {
  context_id: string;
  vm_name: string;
  vmware_vm_id: string;
  vm_path: string;
  vcenter_host: string;
  datacenter: string;
  current_status: string;
  current_job_id: string | null;
  total_jobs_run: number;
  successful_jobs: number;
  failed_jobs: number;
  last_successful_job_id: string | null;
  cpu_count: number;
  memory_mb: number;
  os_type: string;
  power_state: string;
  vm_tools_version: string | null;
  created_at: string;
  updated_at: string;
  first_job_at: string | null;
  last_job_at: string | null;
  last_status_change: string;
  auto_added: boolean;
  last_scheduled_job_id: string | null;
  next_scheduled_at: string | null;
  scheduler_enabled: boolean;
  ossea_config_id: number | null;
  credential_id: number | null;
  last_operation_summary: string | null;
}

/** The contract's `DiskRecord`, as far as a VM that was never replicated has one. Sizes: bytes, and GiB rounded up. */
export interface VmDiskResponse {
  disk_id: number;
  device_key: number;
  vm_context_id: string;
  job_id: string | null;
  label: string;
  vmdk_path: string;
  size_gb: number;
  capacity_bytes: number;
  datastore: string;
  provisioning_type: string;
  unit_number: number;
  ossea_volume_id: number;
  cpu_count: number;
  memory_mb: number;
  os_type: string;
  power_state: string;
  display_name: string;
  vmware_uuid: string;
  /** A JSON array inside a string. */
  network_config: string;
  created_at: string;
  updated_at: string;
}

export interface VmDetailsResponse {
  context: VmContextResponse;
  job_history: readonly never[];
  disks: readonly VmDiskResponse[];
  cbt_history: readonly never[];
}

const GIB = 1024 ** 3;

export function vmContextResponse(row: VmContextRow): VmContextResponse {
  return {
    context_id: row.contextId,
    vm_name: row.vmName,
    vmware_vm_id: row.vmwareVmId,
    vm_path: row.vmPath,
    vcenter_host: row.vcenterHost,
    datacenter: row.datacenter,
    current_status: row.currentStatus,
    current_job_id: null,
    total_jobs_run: 0,
    successful_jobs: 0,
    failed_jobs: 0,
    last_successful_job_id: null,
    cpu_count: row.cpuCount,
    memory_mb: row.memoryMb,
    os_type: row.osType,
    power_state: row.powerState,
    vm_tools_version: null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    first_job_at: null,
    last_job_at: null,
    last_status_change: row.lastStatusChange.toISOString(),
    auto_added: true,
    last_scheduled_job_id: null,
    next_scheduled_at: null,
    scheduler_enabled: true,
    ossea_config_id: null,
    credential_id: row.credentialId,
    last_operation_summary: null,
  };
}

export function vmDetailsResponse(row: VmContextRow): VmDetailsResponse {
  return {
    context: vmContextResponse(row),
    job_history: [],
    disks: row.disks.map((disk) => diskResponse(row, disk)),
    cbt_history: [],
  };
}

function diskResponse(row: VmContextRow, disk: VmContextDisk): VmDiskResponse {
  return {
    ...disk,
    vm_context_id: row.contextId,
    job_id: null,
    size_gb: Math.ceil(disk.capacity_bytes / GIB),
    ossea_volume_id: 0,
    cpu_count: row.cpuCount,
    memory_mb: row.memoryMb,
    os_type: row.osType,
    power_state: row.powerState,
    display_name: row.vmName,
    vmware_uuid: row.vmwareVmId,
    network_config: JSON.stringify(row.networks),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
