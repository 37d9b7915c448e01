import { OS_TYPES } from '#domain/inventory/os-type';
import { Shown } from '#platform/http/answer-fields';
import type { VmContextRow } from '#projections/inventory/vm-context.entity';
import type { VmContextDisk } from '#projections/inventory/vm-context.projection';

/** The contract's `VmContext` (contract-a 2.1). Jobs and schedules in it are those of replication. */
export class VmContextResponse {
  @Shown.text('its id here') context_id: string;
  @Shown.text('its name') vm_name: string;
  @Shown.text('its id in the vCenter') vmware_vm_id: string;
  @Shown.text('where it is in the vCenter') vm_path: string;
  @Shown.text('which vCenter has it') vcenter_host: string;
  @Shown.text('which datacenter of it') datacenter: string;
  @Shown.oneOf(['discovered'], 'where it stands in its protection') current_status: string;
  @Shown.text('of replication', { nullable: true }) current_job_id: string | null;
  @Shown.whole('of replication') total_jobs_run: number;
  @Shown.whole('of replication') successful_jobs: number;
  @Shown.whole('of replication') failed_jobs: number;
  @Shown.text('of replication', { nullable: true }) last_successful_job_id: string | null;
  @Shown.whole('how many virtual processors') cpu_count: number;
  @Shown.whole('in MiB') memory_mb: number;
  @Shown.oneOf(OS_TYPES, 'the family of its operating system') os_type: string;
  @Shown.text('as the vCenter says') power_state: string;
  @Shown.text('as the vCenter says', { nullable: true }) vm_tools_version: string | null;
  @Shown.moment('when it was added') created_at: string;
  @Shown.moment('when it was changed last') updated_at: string;
  @Shown.moment('of replication', { nullable: true }) first_job_at: string | null;
  @Shown.moment('of replication', { nullable: true }) last_job_at: string | null;
  @Shown.moment('when current_status changed last') last_status_change: string;
  @Shown.flag('always true: nobody types VMs in') auto_added: boolean;
  @Shown.text('of replication', { nullable: true }) last_scheduled_job_id: string | null;
  @Shown.moment('of replication', { nullable: true }) next_scheduled_at: string | null;
  @Shown.flag('of replication') scheduler_enabled: boolean;
  @Shown.whole('of replication', { nullable: true }) ossea_config_id: number | null;
  @Shown.whole('the credential that opens its vCenter', { nullable: true }) credential_id: number | null;
  @Shown.text('of replication', { nullable: true }) last_operation_summary: string | null;
}

/** The contract's `DiskRecord`, as far as a VM that was never replicated has one. Sizes: bytes, and GiB rounded up. */
export class VmDiskResponse {
  @Shown.whole('its number in the VM') disk_id: number;
  @Shown.whole('its key in the vCenter') device_key: number;
  @Shown.text('which VM') vm_context_id: string;
  @Shown.text('of replication', { nullable: true }) job_id: string | null;
  @Shown.text('its name in the vCenter') label: string;
  @Shown.text('its file in the datastore') vmdk_path: string;
  @Shown.whole('in GiB, rounded up') size_gb: number;
  @Shown.whole('in bytes') capacity_bytes: number;
  @Shown.text('which datastore holds it') datastore: string;
  @Shown.text('as the vCenter says') provisioning_type: string;
  @Shown.whole('its place at its controller') unit_number: number;
  @Shown.whole('of replication') ossea_volume_id: number;
  @Shown.whole('of the VM') cpu_count: number;
  @Shown.whole('of the VM, in MiB') memory_mb: number;
  @Shown.oneOf(OS_TYPES, 'of the VM') os_type: string;
  @Shown.text('of the VM') power_state: string;
  @Shown.text('of the VM') display_name: string;
  @Shown.text('of the VM') vmware_uuid: string;
  @Shown.text('a JSON array inside a string') network_config: string;
  @Shown.moment('when the VM was added') created_at: string;
  @Shown.moment('when the VM was changed last') updated_at: string;
}

export class VmContextsResponse {
  @Shown.list(VmContextResponse, 'by name') vm_contexts: readonly VmContextResponse[];
  @Shown.whole('how many there are on all pages') count: number;
  @Shown.text('cursor of the next page; null on the last', { nullable: true }) next_cursor: string | null;
}

export class VmDetailsResponse {
  @Shown.nested(VmContextResponse, 'the VM') context: VmContextResponse;
  @Shown.nothing('of replication') job_history: readonly never[];
  @Shown.list(VmDiskResponse, 'its disks') disks: readonly VmDiskResponse[];
  @Shown.nothing('of replication') cbt_history: readonly never[];
}

const GIB = 1024 ** 3;

/** A VM without what only its details show. */
export type ListedVm = Omit<VmContextRow, 'disks' | 'networks'>;

export function vmContextResponse(row: ListedVm): VmContextResponse {
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
