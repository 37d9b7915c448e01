import type { Decider } from '../kernel/decider.js';
import type { DomainEvent } from '../kernel/event.js';

/** A disk as vCenter describes it; `deviceKey` is its identity for as long as the VM lives. */
export type VmDisk = {
  readonly deviceKey: number;
  readonly label: string;
  readonly vmdkPath: string;
  readonly capacityBytes: number;
  readonly datastore: string;
  readonly provisioningType: string;
  readonly unitNumber: number;
};

export type VmNetwork = {
  readonly label: string;
  readonly networkName: string;
  readonly adapterType: string;
  readonly macAddress: string;
  readonly connected: boolean;
};

type VmFacts<Disk> = {
  readonly contextId: string;
  readonly vmName: string;
  /** The BIOS UUID; clones share it. */
  readonly vmwareVmId: string;
  /** Inventory path: `/<datacenter>/vm/<folders>/<name>`. */
  readonly vmPath: string;
  readonly vcenterHost: string;
  readonly datacenter: string;
  readonly cpuCount: number;
  readonly memoryMb: number;
  readonly osType: string;
  readonly powerState: string;
  /** Number of the stored credential it was found with; null when the account was only lent for the call. */
  readonly credentialId: number | null;
  readonly disks: readonly Disk[];
  readonly networks: readonly VmNetwork[];
};

/** A VM under OMA's care. Stream: `context-<context id>`. */
export type VmContextAdded = DomainEvent<'VmContextAdded', VmFacts<VmDisk & { readonly diskId: number }>>;
export type VmContextEvent = VmContextAdded;
export type VmContextCommand = { readonly type: 'AddVmContext'; readonly vm: VmFacts<VmDisk> };
export type VmContextState = 'unknown' | 'added';

export const vmContext: Decider<VmContextState, VmContextCommand, VmContextEvent> = {
  initial: 'unknown',
  evolve: () => 'added',
  decide: ({ vm }, state) =>
    state === 'unknown' ? [{ type: 'VmContextAdded', data: { ...vm, disks: numbered(vm.disks) } }] : [],
};

/** Gives each device key its number, in the order of the keys: the order of a list says nothing. */
function numbered(disks: readonly VmDisk[]): VmContextAdded['data']['disks'] {
  return disks.toSorted((one, other) => one.deviceKey - other.deviceKey).map((disk, diskId) => ({ ...disk, diskId }));
}
