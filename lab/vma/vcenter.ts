import type { BuiltVm } from '../guests/built-fleet.js';
import { DATACENTER } from '../guests/fleet.js';
import { Refusal } from './refusal.js';

const GIB = 1024 ** 3;

export interface VcenterLogin {
  readonly host: string;
  readonly username: string;
  readonly password: string;
}

/** What the vCenter doesn't show: VMs by their paths, disks by their keys. */
interface Hidden {
  readonly vms: readonly string[];
  readonly disks: readonly number[];
}

/** The lab's vCenter: one account, one datacenter, the VMs of the fleet. */
export class Vcenter {
  readonly datacenter = DATACENTER;

  constructor(
    readonly login: VcenterLogin,
    private readonly vms: readonly BuiltVm[],
  ) {}

  /** Throws the agent's refusal as a vCenter would cause it; the answer never repeats the password. */
  signIn({ host, username, password }: VcenterLogin): void {
    if (host.toLowerCase() !== this.login.host) {
      throw new Refusal(500, `failed to connect to vCenter: lookup ${host}: no such host`);
    }
    if (username !== this.login.username || password !== this.login.password) {
      throw new Refusal(
        500,
        'failed to connect to vCenter: ServerFaultCode: Cannot complete login due to an incorrect user name or password.',
      );
    }
  }

  /**
   * The VMs whose names hold one of the comma-separated parts of `filter`, whatever the case of the letters, without what is
   * hidden. Of a VM whose name is the filter the path ends with that name, also where its own ends differently.
   */
  describe(datacenter: string, filter: string, hidden: Hidden): readonly object[] {
    if (datacenter !== this.datacenter)
      throw new Refusal(500, `failed to find datacenter: datacenter '${datacenter}' not found`);
    const parts = filter
      .toLowerCase()
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    return this.vms
      .filter(({ path }) => !hidden.vms.includes(path))
      .filter(({ name }) => parts.length === 0 || parts.some((part) => name.toLowerCase().includes(part)))
      .map((vm) => vmaVm(vm, vm.name === filter ? endingWith(vm.path, filter) : vm.path, hidden.disks));
  }

  find(path: string): BuiltVm {
    const vm = this.vms.find((one) => one.path === path);
    if (vm === undefined) throw new Refusal(500, `failed to find VM: vm '${path}' not found`);
    return vm;
  }
}

function endingWith(path: string, name: string): string {
  return `${path.slice(0, path.lastIndexOf('/') + 1)}${name}`;
}

/** A VM in the agent's words, with the fields that the agent always leaves empty. */
function vmaVm(vm: BuiltVm, path: string, hidden: readonly number[]): object {
  const shown = vm.disks.filter(({ deviceKey }) => !hidden.includes(deviceKey));
  return {
    id: vm.id,
    name: vm.name,
    path,
    datacenter: DATACENTER,
    power_state: vm.powerState,
    guest_os: vm.guestOs,
    memory_mb: vm.memoryMb,
    num_cpu: vm.cpuCount,
    cpus: 0,
    os_type: '',
    vmx_version: 'vmx-19',
    display_name: '',
    annotation: '',
    folder_path: '',
    vmware_tools_status: '',
    vmware_tools_version: '',
    disks: shown.map(({ deviceKey, sizeBytes }, index) => {
      const vmdk = `[lab-datastore] ${vm.name}/${vm.name}${index === 0 ? '' : `_${index}`}.vmdk`;
      return {
        id: `disk-${deviceKey}`,
        label: diskLabel(index),
        path: vmdk,
        vmdk_path: vmdk,
        size_gb: Math.ceil(sizeBytes / GIB),
        capacity_bytes: sizeBytes,
        datastore: 'lab-datastore',
        provisioning_type: 'thin',
        unit_number: index,
      };
    }),
    networks: [
      {
        label: 'Network adapter 1',
        network_name: 'Lab network',
        adapter_type: 'vmxnet3',
        mac_address: `00:50:56:00:00:${vm.path.length.toString(16).padStart(2, '0')}`,
        connected: vm.powerState === 'poweredOn',
        type: '',
      },
    ],
  };
}

export function diskLabel(index: number): string {
  return `Hard disk ${index + 1}`;
}
