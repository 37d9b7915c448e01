import type { VmContextAdded, VmContextEvent } from '#domain/inventory/vm-context';
import type { Projection } from '#domain/kernel/projection';

import { NO_REVISION, revisionAfter } from '../revision.js';

export type VmContextDisk = {
  readonly disk_id: number;
  readonly device_key: number;
  readonly label: string;
  readonly vmdk_path: string;
  readonly capacity_bytes: number;
  readonly datastore: string;
  readonly provisioning_type: string;
  readonly unit_number: number;
};

export type VmContextNetwork = {
  readonly label: string;
  readonly network_name: string;
  readonly adapter_type: string;
  readonly mac_address: string;
  readonly connected: boolean;
};

/** Where a VM stands in its protection; replication and failover move it. */
export type VmContextStatus = 'discovered';

export type VmContextRecord = {
  context_id: string;
  vm_name: string;
  vmware_vm_id: string;
  vm_path: string;
  vcenter_host: string;
  datacenter: string;
  current_status: VmContextStatus;
  cpu_count: number;
  memory_mb: number;
  os_type: string;
  power_state: string;
  credential_id: number | null;
  disks: readonly VmContextDisk[];
  networks: readonly VmContextNetwork[];
  created_at: string;
  updated_at: string;
  last_status_change: string;
  revision: number;
};

export const vmContextProjection: Projection<VmContextRecord> = {
  name: 'vm_context',
  version: 3,
  table: {
    key: 'context_id',
    columns: {
      context_id: 'text',
      vm_name: 'text',
      vmware_vm_id: 'text',
      vm_path: 'text',
      vcenter_host: 'text',
      datacenter: 'text',
      current_status: 'text',
      cpu_count: 'integer',
      memory_mb: 'integer',
      os_type: 'text',
      power_state: 'text',
      credential_id: 'integer',
      disks: 'jsonb',
      networks: 'jsonb',
      created_at: 'timestamptz',
      updated_at: 'timestamptz',
      last_status_change: 'timestamptz',
      revision: 'bigint',
    },
    indexes: [['vm_name', 'context_id'], ['vmware_vm_id']],
  },
  handles: ['VmContextAdded', 'VmSeenAgain'],
  keysOf: (event) => [(event.data as VmContextEvent['data']).contextId],
  evolve: (row, stored) => {
    const event = stored as unknown as VmContextEvent;
    const at = stored.recordedAt.toISOString();
    const revision = revisionAfter(row?.revision ?? NO_REVISION, stored, 'context');
    switch (event.type) {
      case 'VmContextAdded':
        return { ...added(event.data, at), revision };
      case 'VmSeenAgain': {
        const { credentialId: credential_id, disks } = event.data;
        return row === null ? null : { ...row, credential_id, disks: disks.map(shownDisk), updated_at: at, revision };
      }
    }
  },
};

function shownDisk(disk: VmContextAdded['data']['disks'][number]): VmContextDisk {
  return {
    disk_id: disk.diskId,
    device_key: disk.deviceKey,
    label: disk.label,
    vmdk_path: disk.vmdkPath,
    capacity_bytes: disk.capacityBytes,
    datastore: disk.datastore,
    provisioning_type: disk.provisioningType,
    unit_number: disk.unitNumber,
  };
}

function added(vm: VmContextAdded['data'], at: string): Omit<VmContextRecord, 'revision'> {
  return {
    context_id: vm.contextId,
    vm_name: vm.vmName,
    vmware_vm_id: vm.vmwareVmId,
    vm_path: vm.vmPath,
    vcenter_host: vm.vcenterHost,
    datacenter: vm.datacenter,
    current_status: 'discovered',
    cpu_count: vm.cpuCount,
    memory_mb: vm.memoryMb,
    os_type: vm.osType,
    power_state: vm.powerState,
    credential_id: vm.credentialId,
    disks: vm.disks.map(shownDisk),
    networks: vm.networks.map((network) => ({
      label: network.label,
      network_name: network.networkName,
      adapter_type: network.adapterType,
      mac_address: network.macAddress,
      connected: network.connected,
    })),
    created_at: at,
    updated_at: at,
    last_status_change: at,
  };
}
