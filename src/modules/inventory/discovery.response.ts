import { OS_TYPES, osTypeOf } from '#domain/inventory/os-type';
import { Shown } from '#platform/http/answer-fields';
import type { FoundVm } from '#platform/vma/vma-client.port';

import type { AddedVm, AddOutcome } from './vm-adder.js';

export class DiscoveredDiskResponse {
  @Shown.text('disk- and its key in the vCenter') id: string;
  @Shown.text('its name in the vCenter') label: string;
  @Shown.text('its file in the datastore') path: string;
  @Shown.whole('in GiB, rounded up') size_gb: number;
  @Shown.whole('in bytes') capacity_bytes: number;
  @Shown.text('which datastore holds it') datastore: string;
}

export class DiscoveredNetworkResponse {
  @Shown.text('the name of the adapter') label: string;
  @Shown.text('the network it is in') network_name: string;
  @Shown.text('its address') mac_address: string;
}

/** The contract's `DiscoveredVm` (contract-a 11). Sizes: bytes, MiB, and GiB rounded up. */
export class DiscoveredVmResponse {
  @Shown.text('its id in the vCenter') id: string;
  @Shown.text('its name') name: string;
  @Shown.text('where it is in the vCenter') path: string;
  @Shown.text('as the vCenter says') power_state: string;
  @Shown.text('as the vCenter says') guest_os: string;
  @Shown.whole('in MiB') memory_mb: number;
  @Shown.whole('how many virtual processors') num_cpu: number;
  @Shown.text('the version of its virtual hardware', { optional: true }) vmx_version?: string;
  @Shown.list(DiscoveredDiskResponse, 'its disks') disks: readonly DiscoveredDiskResponse[];
  @Shown.list(DiscoveredNetworkResponse, 'its adapters') networks: readonly DiscoveredNetworkResponse[];
  @Shown.flag("whether it is under OMA's care") existing: boolean;
  @Shown.text('its id here, when it is', { optional: true }) context_id?: string;
}

export class CandidateResponse {
  @Shown.text('its id in the vCenter') vmware_vm_id: string;
  @Shown.text('its name') vm_name: string;
  @Shown.text('where it is in the vCenter') vm_path: string;
}

export class AddedVmResponse {
  @Shown.text('its id here') context_id: string;
  @Shown.text('its name') vm_name: string;
  @Shown.text('where it is in the vCenter') vm_path: string;
  @Shown.always('discovered', 'where it stands in its protection') status: 'discovered';
  @Shown.flag('always true') auto_added: boolean;
  @Shown.whole('how many virtual processors') cpu_count: number;
  @Shown.whole('in MiB') memory_mb: number;
  @Shown.oneOf(OS_TYPES, 'the family of its operating system') os_type: string;
  @Shown.text('as the vCenter says') power_state: string;
}

export class SkippedVmResponse {
  @Shown.text('its name') vm_name: string;
  @Shown.text('where it is in the vCenter') vm_path: string;
  @Shown.text('why it was skipped') reason: string;
  @Shown.text('its id here') existing_context_id: string;
}

export class FailedVmResponse {
  @Shown.text('what was asked for') vm_name: string;
  @Shown.text('always empty') vm_path: string;
  @Shown.text('why it was not added') error: string;
  @Shown.list(CandidateResponse, 'the VMs that answer to it', { optional: true })
  candidates?: readonly CandidateResponse[];
}

/** The contract's `BulkAddResult`; added, skipped and failed make up the requested. Durations are nanoseconds. */
export class BulkAddResponse {
  @Shown.whole('how many were to be added') total_requested: number;
  @Shown.whole('how many were added') successfully_added: number;
  @Shown.whole('how many were added before') skipped: number;
  @Shown.whole('how many were not added') failed: number;
  @Shown.list(AddedVmResponse, 'those that were added') added_vms: readonly AddedVmResponse[];
  @Shown.list(SkippedVmResponse, 'those that were added before') skipped_vms: readonly SkippedVmResponse[];
  @Shown.list(FailedVmResponse, 'those that were not added') failed_vms: readonly FailedVmResponse[];
  @Shown.whole('in nanoseconds') discovery_duration: number;
  @Shown.whole('in nanoseconds') processing_duration: number;
}

export class DiscoverVmsResponse {
  @Shown.list(DiscoveredVmResponse, 'what the vCenter has') discovered_vms: readonly DiscoveredVmResponse[];
  @Shown.nested(BulkAddResponse, 'what was added, if that was wanted', { optional: true })
  addition_result?: BulkAddResponse;
  @Shown.whole('how many the vCenter has') discovery_count: number;
  @Shown.whole('in nanoseconds') processing_time: number;
  @Shown.oneOf(['success', 'partial_success'], 'whether all were added that were to be') status:
    'success' | 'partial_success';
  @Shown.text('the same in words') message: string;
}

export class ProcessedVmResponse {
  @Shown.text('what was asked for') vm_name: string;
  @Shown.flag('whether it is under care now') success: boolean;
  @Shown.text('its id here', { optional: true }) context_id?: string;
  @Shown.flag('whether it was added before', { optional: true }) already_existed?: boolean;
  @Shown.text('why it was not added', { optional: true }) error?: string;
  @Shown.list(CandidateResponse, 'the VMs that answer to it', { optional: true })
  candidates?: readonly CandidateResponse[];
}

export class AddVmsResponse {
  @Shown.flag('whether any is under care now') success: boolean;
  @Shown.text('the same in words') message: string;
  @Shown.whole('how many were added') vms_added: number;
  @Shown.whole("under OMA's care already") vms_skipped: number;
  @Shown.whole('how many were not added') vms_failed: number;
  @Shown.whole('how many were asked for') total_vms: number;
  @Shown.moment('when it was done') added_at: string;
  @Shown.list(ProcessedVmResponse, 'one by one') processed_vms: readonly ProcessedVmResponse[];
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
