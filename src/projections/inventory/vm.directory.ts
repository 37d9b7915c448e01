import { AmbiguousVmName, UnknownVm, type VmCandidate } from '#domain/inventory/inventory.errors';
import type { Views } from '#platform/database/views';

import { VmContextRow } from './vm-context.entity.js';

/** What a VM answers to. */
const answersTo = (vm: string, place: string) =>
  `${vm}.context_id = ${place} or ${vm}.vmware_vm_id = ${place} or ${vm}.vm_name = ${place}`;

/** For a statement: the context id of the one VM that answers to what stands at `place`; null where `resolve` has to judge. */
export function certainVm(place: string): string {
  return `(select case when count(*) = 1 then min(vm.context_id) end from vm_context vm where ${answersTo('vm', place)})`;
}

/** Finds the VM that somebody means by a context id, a VMware id or a name. */
export class VmDirectory {
  constructor(private readonly views: Views) {}

  /**
   * A context id wins over everything, since it alone is an identity. Throws UnknownVm, or AmbiguousVmName with the
   * candidates when several VMs bear the name or share the VMware id, as clones do.
   */
  async resolve(ref: string): Promise<VmContextRow> {
    const found = await this.select(`${answersTo('one', '$1')} order by one.vm_path, one.context_id`, ref);
    const exact = found.find((row) => row.contextId === ref);
    const [first, ...others] = exact === undefined ? found : [exact];
    if (first === undefined) throw new UnknownVm(ref);
    if (others.length > 0) throw new AmbiguousVmName(ref, [first, ...others].map(candidateOf));
    return first;
  }

  /** By context id alone; throws UnknownVm. */
  async byId(contextId: string): Promise<VmContextRow> {
    const [row] = await this.select('one.context_id = $1', contextId);
    if (row === undefined) throw new UnknownVm(contextId);
    return row;
  }

  private select(condition: string, ref: string): Promise<VmContextRow[]> {
    return this.views.select(`select ${this.views.columns(VmContextRow)} from vm_context one where ${condition}`, [
      ref,
    ]);
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
