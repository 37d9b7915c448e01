import { ViewColumn, ViewEntity } from 'typeorm';

import type { VmContextDisk, VmContextNetwork, VmContextStatus } from './vm-context.projection.js';

/** A VM under OMA's care, with the disks and networks it had when it was added. */
@ViewEntity({ name: 'vm_context', synchronize: false })
export class VmContextRow {
  @ViewColumn({ name: 'context_id' })
  readonly contextId: string;

  @ViewColumn({ name: 'vm_name' })
  readonly vmName: string;

  @ViewColumn({ name: 'vmware_vm_id' })
  readonly vmwareVmId: string;

  @ViewColumn({ name: 'vm_path' })
  readonly vmPath: string;

  @ViewColumn({ name: 'vcenter_host' })
  readonly vcenterHost: string;

  @ViewColumn()
  readonly datacenter: string;

  @ViewColumn({ name: 'current_status' })
  readonly currentStatus: VmContextStatus;

  @ViewColumn({ name: 'cpu_count' })
  readonly cpuCount: number;

  @ViewColumn({ name: 'memory_mb' })
  readonly memoryMb: number;

  @ViewColumn({ name: 'os_type' })
  readonly osType: string;

  @ViewColumn({ name: 'power_state' })
  readonly powerState: string;

  @ViewColumn({ name: 'credential_id' })
  readonly credentialId: number | null;

  @ViewColumn()
  readonly disks: readonly VmContextDisk[];

  @ViewColumn()
  readonly networks: readonly VmContextNetwork[];

  @ViewColumn({ name: 'created_at' })
  readonly createdAt: Date;

  @ViewColumn({ name: 'updated_at' })
  readonly updatedAt: Date;

  @ViewColumn({ name: 'last_status_change' })
  readonly lastStatusChange: Date;

  /** Of the stream that decides over it; -1 while that is empty. */
  @ViewColumn({ transformer: { from: Number, to: String } })
  readonly revision: number;
}
