import { osTypeOf } from '#domain/inventory/os-type';
import type { FoundVm } from '#platform/vma/vma-client.port';

import type { AddedVm, AddOutcome } from './vm-adder.js';

/** The contract's `DiscoveredVm` (contract-a 11). Sizes: bytes, MiB, and GiB rounded up. */
export interface DiscoveredVmResponse {
  id: string;
  name: string;
  path: string;
  power_state: string;
  guest_os: string;
  memory_mb: number;
  num_cpu: number;
  vmx_version?: string;
  disks: readonly {
    id: string;
    label: string;
    path: string;
    size_gb: number;
    capacity_bytes: number;
    datastore: string;
  }[];
  networks: readonly { label: string; network_name: string; mac_address: string }[];
  existing: boolean;
  context_id?: string;
}

/** The contract's `BulkAddResult`; added, skipped and failed make up the requested. Durations are nanoseconds. */
export interface BulkAddResponse {
  total_requested: number;
  successfully_added: number;
  skipped: number;
  failed: number;
  added_vms: readonly {
    context_id: string;
    vm_name: string;
    vm_path: string;
    status: string;
    auto_added: boolean;
    cpu_count: number;
    memory_mb: number;
    os_type: string;
    power_state: string;
  }[];
  skipped_vms: readonly { vm_name: string; vm_path: string; reason: string; existing_context_id: string }[];
  failed_vms: readonly FailedVmResponse[];
  discovery_duration: number;
  processing_duration: number;
}

export interface FailedVmResponse {
  vm_name: string;
  vm_path: string;
  error: string;
  candidates?: readonly CandidateResponse[];
}

export interface CandidateResponse {
  vmware_vm_id: string;
  vm_name: string;
  vm_path: string;
}

export interface DiscoverVmsResponse {
  discovered_vms: readonly DiscoveredVmResponse[];
  addition_result?: BulkAddResponse;
  discovery_count: number;
  processing_time: number;
  status: 'success' | 'partial_success';
  message: string;
}

export interface AddVmsResponse {
  success: boolean;
  message: string;
  vms_added: number;
  /** Under OMA's care already. */
  vms_skipped: number;
  vms_failed: number;
  total_vms: number;
  added_at: string;
  processed_vms: readonly {
    vm_name: string;
    success: boolean;
    context_id?: string;
    already_existed?: boolean;
    error?: string;
    candidates?: readonly CandidateResponse[];
  }[];
}

const GIB = 1024 ** 3;

export function discoveredVmResponse(vm: FoundVm, contextId: string | undefined): DiscoveredVmResponse {
  return {
    id: vm.id,
    name: vm.name,
    path: vm.path,
    power_state: vm.powerState,
    guest_os: vm.guestOs,
    memory_mb: vm.memoryMb,
    num_cpu: vm.cpuCount,
    ...(vm.vmxVersion !== '' && { vmx_version: vm.vmxVersion }),
    disks: vm.disks.map((disk) => ({
      id: `disk-${disk.deviceKey}`,
      label: disk.label,
      path: disk.vmdkPath,
      size_gb: Math.ceil(disk.capacityBytes / GIB),
      capacity_bytes: disk.capacityBytes,
      datastore: disk.datastore,
    })),
    networks: vm.networks.map((network) => ({
      label: network.label,
      network_name: network.networkName,
      mac_address: network.macAddress,
    })),
    existing: contextId !== undefined,
    ...(contextId !== undefined && { context_id: contextId }),
  };
}

export function bulkAddResponse(
  outcomes: readonly AddOutcome[],
  durations: { readonly discoveryMs: number; readonly processingMs: number },
): BulkAddResponse {
  const { fresh, existing, failed } = sorted(outcomes);
  return {
    total_requested: outcomes.length,
    successfully_added: fresh.length,
    skipped: existing.length,
    failed: failed.length,
    added_vms: fresh.map(({ vm, contextId }) => ({
      context_id: contextId,
      vm_name: vm.name,
      vm_path: vm.path,
      status: 'discovered',
      auto_added: true,
      cpu_count: vm.cpuCount,
      memory_mb: vm.memoryMb,
      os_type: osTypeOf(vm.guestOs),
      power_state: vm.powerState,
    })),
    skipped_vms: existing.map(({ vm, contextId }) => ({
      vm_name: vm.name,
      vm_path: vm.path,
      reason: 'this VM was added before',
      existing_context_id: contextId,
    })),
    failed_vms: failed.map((failure) => ({ vm_name: failure.ref, vm_path: '', ...whyNot(failure) })),
    discovery_duration: nanoseconds(durations.discoveryMs),
    processing_duration: nanoseconds(durations.processingMs),
  };
}

export function addVmsResponse(outcomes: readonly AddOutcome[], addedAt: Date): AddVmsResponse {
  const { fresh, existing, failed } = sorted(outcomes);
  return {
    success: fresh.length + existing.length > 0,
    message: `${fresh.length} added, ${existing.length} added before, ${failed.length} failed`,
    vms_added: fresh.length,
    vms_skipped: existing.length,
    vms_failed: failed.length,
    total_vms: outcomes.length,
    added_at: addedAt.toISOString(),
    processed_vms: outcomes.map((outcome) =>
      outcome.is === 'added'
        ? { vm_name: outcome.ref, success: true, context_id: outcome.contextId, already_existed: !outcome.isNew }
        : { vm_name: outcome.ref, success: false, ...whyNot(outcome) },
    ),
  };
}

type Failed = Exclude<AddOutcome, AddedVm>;

function sorted(outcomes: readonly AddOutcome[]): { fresh: AddedVm[]; existing: AddedVm[]; failed: Failed[] } {
  const added = outcomes.filter((outcome) => outcome.is === 'added');
  return {
    fresh: added.filter((outcome) => outcome.isNew),
    existing: added.filter((outcome) => !outcome.isNew),
    failed: outcomes.filter((outcome) => outcome.is !== 'added'),
  };
}

function whyNot(failed: Failed): { error: string; candidates?: readonly CandidateResponse[] } {
  if (failed.is === 'unknown') return { error: 'vCenter has no VM of this name, id or path' };
  return {
    error: `${failed.candidates.length} VMs answer to this; name one by its path`,
    candidates: failed.candidates.map((vm) => ({ vmware_vm_id: vm.id, vm_name: vm.name, vm_path: vm.path })),
  };
}

export function nanoseconds(ms: number): number {
  return Math.round(ms * 1_000_000);
}
