import type { DataSource } from 'typeorm';

import { AmbiguousVmName, UnknownVm, type VmCandidate } from '#domain/inventory/inventory.errors';

import { VmContextRow } from './vm-context.entity.js';

/** Finds the VM that somebody means by a context id, a VMware id or a name. */
export class VmDirectory {
  constructor(private readonly rows: DataSource) {}

  /**
   * A context id wins over everything, since it alone is an identity. Throws UnknownVm, or AmbiguousVmName with the
   * candidates when several VMs bear the name or share the VMware id, as clones do.
   */
  async resolve(ref: string): Promise<VmContextRow> {
    const found = await this.rows.getRepository(VmContextRow).find({
      where: [{ contextId: ref }, { vmwareVmId: ref }, { vmName: ref }],
      order: { vmPath: 'ASC', contextId: 'ASC' },
    });
    const exact = found.find((row) => row.contextId === ref);
    const [first, ...others] = exact === undefined ? found : [exact];
    if (first === undefined) throw new UnknownVm(ref);
    if (others.length > 0) throw new AmbiguousVmName(ref, [first, ...others].map(candidateOf));
    return first;
  }

  /** By context id alone; throws UnknownVm. */
  async byId(contextId: string): Promise<VmContextRow> {
    const row = await this.rows.getRepository(VmContextRow).findOneBy({ contextId });
    if (row === null) throw new UnknownVm(contextId);
    return row;
  }
}

function candidateOf(row: VmContextRow): VmCandidate {
  return {
    context_id: row.contextId,
    vm_name: row.vmName,
    vmware_vm_id: row.vmwareVmId,
    vm_path: row.vmPath,
    vcenter_host: row.vcenterHost,
  };
}
