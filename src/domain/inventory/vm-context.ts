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

type NumberedDisk = VmDisk & { readonly diskId: number };

/** A VM under OMA's care. Stream: `context-<context id>`. */
export type VmContextAdded = DomainEvent<'VmContextAdded', VmFacts<NumberedDisk>>;
/** It was added once more, and was not what it had been. */
export type VmSeenAgain = DomainEvent<
  'VmSeenAgain',
  { readonly contextId: string; readonly credentialId: number | null; readonly disks: readonly NumberedDisk[] }
>;
export type VmContextEvent = VmContextAdded | VmSeenAgain;
export type VmContextCommand = { readonly type: 'AddVmContext'; readonly vm: VmFacts<VmDisk> };

/** Which number each device key of the VM was ever given. */
type Numbers = ReadonlyMap<number, number>;
export type VmContextState =
  | { readonly is: 'unknown' }
  | {
      readonly is: 'added';
      readonly credentialId: number | null;
      readonly disks: readonly NumberedDisk[];
      readonly numbers: Numbers;
    };

const NONE: Numbers = new Map();

export const vmContext: Decider<VmContextState, VmContextCommand, VmContextEvent> = {
  initial: { is: 'unknown' },
  evolve: (state, { data: { credentialId, disks } }) => ({
    is: 'added',
    credentialId,
    disks,
    numbers: new Map([
      ...(state.is === 'added' ? state.numbers : NONE),
      ...disks.map(({ deviceKey, diskId }) => [deviceKey, diskId] as const),
    ]),
  }),
  decide: ({ vm }, state) => {
    if (state.is === 'unknown') return [{ type: 'VmContextAdded', data: { ...vm, disks: numbered(vm.disks, NONE) } }];
    // An account that was only lent doesn't replace a stored one.
    const credentialId = vm.credentialId ?? state.credentialId;
    const disks = numbered(vm.disks, state.numbers);
    const isSame = credentialId === state.credentialId && areSame(disks, state.disks);
    return isSame ? [] : [{ type: 'VmSeenAgain', data: { contextId: vm.contextId, credentialId, disks } }];
  },
};

/** Gives each device key its number for ever; new ones follow in the order of the keys: the order of a list says nothing. */
function numbered(disks: readonly VmDisk[], given: Numbers): readonly NumberedDisk[] {
  let next = Math.max(-1, ...given.values()) + 1;
  return disks
    .toSorted((one, other) => one.deviceKey - other.deviceKey)
    .map((disk) => ({ ...disk, diskId: given.get(disk.deviceKey) ?? next++ }));
}

function areSame(some: readonly NumberedDisk[], others: readonly NumberedDisk[]): boolean {
  const FIELDS = [
    'deviceKey',
    'label',
    'vmdkPath',
    'capacityBytes',
    'datastore',
    'provisioningType',
    'unitNumber',
  ] as const;
  return (
    some.length === others.length &&
    some.every((disk, at) => FIELDS.every((field) => disk[field] === others[at]?.[field]))
  );
}
