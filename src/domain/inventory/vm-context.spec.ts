import { describe, expect, it } from '@jest/globals';

import { given } from '../../../test/kit/given.js';
import { osTypeOf } from './os-type.js';
import { vmContext, type VmContextCommand, type VmContextEvent, type VmDisk } from './vm-context.js';

const disk = (deviceKey: number): VmDisk => ({
  deviceKey,
  label: `Hard disk ${deviceKey}`,
  vmdkPath: `[ds1] vm/vm-${deviceKey}.vmdk`,
  capacityBytes: 1024 ** 3,
  datastore: 'ds1',
  provisioningType: 'thin',
  unitNumber: 0,
});

const vm = (disks: readonly VmDisk[]): VmContextCommand['vm'] => ({
  contextId: 'ctx-1',
  vmName: 'web01',
  vmwareVmId: '420a-1',
  vmPath: '/DC1/vm/web01',
  vcenterHost: 'vcenter.example',
  datacenter: 'DC1',
  cpuCount: 2,
  memoryMb: 4096,
  osType: 'linux',
  powerState: 'poweredOn',
  credentialId: 1,
  disks,
  networks: [],
});

describe('a VM context', () => {
  it('numbers its disks by device key, not by their order in the list', () => {
    given(vmContext)
      .when({ type: 'AddVmContext', vm: vm([disk(2016), disk(2000)]) })
      .then([
        {
          type: 'VmContextAdded',
          data: {
            ...vm([]),
            disks: [
              { ...disk(2000), diskId: 0 },
              { ...disk(2016), diskId: 1 },
            ],
          },
        },
      ]);
  });

  it('is added once, however often that is asked', () => {
    given(vmContext, [{ type: 'VmContextAdded', data: { ...vm([]), disks: [{ ...disk(2000), diskId: 0 }] } }])
      .when({ type: 'AddVmContext', vm: vm([disk(2000)]) })
      .then([]);
  });

  it('takes disks down anew when it is added again, and never gives a number twice', () => {
    const numbered = (...numbers: readonly (readonly [number, number])[]) =>
      numbers.map(([deviceKey, diskId]) => ({ ...disk(deviceKey), diskId }));
    const seen = (...numbers: readonly (readonly [number, number])[]): VmContextEvent => ({
      type: 'VmSeenAgain',
      data: { contextId: 'ctx-1', credentialId: 1, disks: numbered(...numbers) },
    });
    const added: VmContextEvent = {
      type: 'VmContextAdded',
      data: { ...vm([]), disks: numbered([2000, 0], [2016, 1]) },
    };
    given(vmContext, [added])
      .when({ type: 'AddVmContext', vm: vm([disk(2000)]) })
      .then([seen([2000, 0])]);
    given(vmContext, [added, seen([2000, 0])])
      .when({ type: 'AddVmContext', vm: vm([disk(2032), disk(2000), disk(2016)]) })
      .then([seen([2000, 0], [2016, 1], [2032, 2])]);
  });

  it('gets the stored account that it lacked, and keeps it when it is added with a lent one', () => {
    const data = { contextId: 'ctx-1', disks: [] };
    const without: VmContextEvent = { type: 'VmContextAdded', data: { ...vm([]), disks: [], credentialId: null } };
    given(vmContext, [without])
      .when({ type: 'AddVmContext', vm: { ...vm([]), credentialId: 7 } })
      .then([{ type: 'VmSeenAgain', data: { ...data, credentialId: 7 } }]);
    given(vmContext, [without, { type: 'VmSeenAgain', data: { ...data, credentialId: 7 } }])
      .when({ type: 'AddVmContext', vm: { ...vm([]), credentialId: null } })
      .then([]);
  });
});

describe('the type of an operating system', () => {
  it.each([
    ['windows', 'windows'],
    ['Microsoft Windows Server 2022', 'windows'],
    ['Ubuntu Linux (64-bit)', 'linux'],
    ['CentOS 7', 'linux'],
    ['Apple macOS 12', 'macos'],
    ['darwin21_64Guest', 'macos'],
    ['FreeBSD 13', 'other'],
    ['unknown', 'unknown'],
    ['', 'unknown'],
  ])('of "%s" is %s', (guestOs, type) => {
    expect(osTypeOf(guestOs)).toBe(type);
  });
});
