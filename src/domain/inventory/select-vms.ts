/** A VM as far as choosing it goes. */
export type NamedVm = { readonly id: string; readonly name: string; readonly path: string };

export type Selection<Vm> =
  | { readonly ref: string; readonly is: 'found'; readonly vm: Vm }
  | { readonly ref: string; readonly is: 'unknown' }
  | { readonly ref: string; readonly is: 'ambiguous'; readonly candidates: readonly Vm[] };

/**
 * The VM that each reference means: an inventory path, a VMware id or a name. A path wins, since vCenter has it once;
 * ids are shared by clones and names by anybody, so several VMs may answer to one of those.
 */
export function selectVms<Vm extends NamedVm>(refs: readonly string[], vms: readonly Vm[]): readonly Selection<Vm>[] {
  return refs.map((ref) => {
    const byPath = vms.filter((vm) => vm.path === ref);
    const candidates = byPath.length > 0 ? byPath : vms.filter((vm) => vm.id === ref || vm.name === ref);
    const [first, ...others] = candidates;
    if (first === undefined) return { ref, is: 'unknown' };
    return others.length === 0 ? { ref, is: 'found', vm: first } : { ref, is: 'ambiguous', candidates };
  });
}
