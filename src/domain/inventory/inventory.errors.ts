import { DomainError } from '../kernel/domain-error.js';

/** One of several VMs that answer to the same name. */
export type VmCandidate = {
  readonly context_id: string | null;
  readonly vm_name: string;
  readonly vmware_vm_id: string;
  readonly vm_path: string;
  readonly vcenter_host: string;
};

export class UnknownVm extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-vm';
  constructor(ref: string) {
    super(`there is no VM ${ref} under OMA's care`, 'GET /api/v1/vm-contexts shows the VMs there are', { vm: ref });
  }
}

export class AmbiguousVmName extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'ambiguous-vm-name';
  constructor(ref: string, candidates: readonly VmCandidate[]) {
    super(`${candidates.length} VMs answer to "${ref}"`, 'name the VM by its context_id', {
      vm: ref,
      candidates: [...candidates],
    });
  }
}
