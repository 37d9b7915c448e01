import { DomainError } from '../kernel/domain-error.js';

export class BackupIsOver extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'job-is-over';
  constructor(jobId: string, as: string) {
    super(`job ${jobId} is ${as} already`, 'GET /api/v1/jobs shows which jobs run', {
      job_id: jobId,
      job_status: as,
    });
  }
}

export class BackupNotUnderWay extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'backup-not-under-way';
  constructor(jobId: string) {
    super(`backup ${jobId} hasn't been started`, 'start it first');
  }
}

export class ProofMissing extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'proof-missing';
  constructor(disks: readonly { readonly diskId: number; readonly why: string }[]) {
    super(
      `it is not proven that every disk was copied: ${disks.map(({ diskId, why }) => `disk ${diskId}: ${why}`).join('; ')}`,
      'start the backup again',
    );
  }
}

/** Agents that tell of a disk only by completing it may do so a moment after they end. */
export class CompletionMissing extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'proof-missing';
  constructor(diskIds: readonly number[]) {
    super(`the agent did not complete disk ${diskIds.join(' and ')}`, 'start the backup again');
  }
}

/** Disks were added to the VM or taken away since OMA last saw it. */
export class VmDisksChanged extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'vm-disks-changed';
  constructor(contextId: string, keys: { readonly added: readonly number[]; readonly removed: readonly number[] }) {
    const { added, removed } = keys;
    super(
      `the disks of VM ${contextId} are not the ones that OMA knows`,
      'add the VM again (POST /api/v1/discovery/add-vms): OMA takes its disks down anew',
      { vm_context_id: contextId, added_device_keys: [...added], removed_device_keys: [...removed] },
    );
  }
}

/** The vCenter has no VM that is the one under OMA's care. */
export class VmNotInVcenter extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'vm-not-in-vcenter';
  constructor(contextId: string) {
    super(
      `the vCenter does not show VM ${contextId} any more`,
      'look whether it was moved, renamed or deleted there; if it was moved or renamed, add it again (POST /api/v1/discovery/add-vms)',
      { vm_context_id: contextId },
    );
  }
}

export class UnknownBackup extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-backup';
  constructor(backupId: string) {
    super(`there is no backup ${backupId}`, 'GET /api/v1/backup/list shows the backups there are', {
      backup_id: backupId,
    });
  }
}

export class IncrementalNotPossible extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'incremental-not-possible';
  constructor(disks: readonly { readonly diskId: number; readonly because: string }[]) {
    super(
      `an increment is not possible: ${disks.map(({ diskId, because }) => `disk ${diskId}: ${because}`).join('; ')}`,
      'ask for backup_type "auto" or "full"',
      { disks: disks.map(({ diskId, because }) => ({ disk_id: diskId, reason: because })) },
    );
  }
}

/** An agent completes a disk that its job doesn't copy. */
export class DiskNotInJob extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'disk-not-in-job';
  constructor(jobId: string) {
    super(`backup ${jobId} does not copy this disk`, 'name the disk by its disk_id or device_key', { job_id: jobId });
  }
}

/** An agent tells another bookmark for a disk than before. */
export class DiskReportedOtherwise extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'disk-reported-otherwise';
  constructor(diskId: number, changeId: string) {
    const remedy = 'repeat the change id that was told first, or cancel the backup';
    super(`disk ${diskId} was completed before, with change id ${changeId}`, remedy, { disk_id: diskId });
  }
}

export class NotEnoughSpace extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'not-enough-space';
  constructor(neededBytes: number, availableBytes: number) {
    super(
      `the backup may need ${neededBytes} bytes and the repository has ${availableBytes} available`,
      'free space in the repository or choose another one',
      { needed_bytes: neededBytes, available_bytes: availableBytes },
    );
  }
}

export class UnknownDisk extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-disk';
  constructor(diskId: number, known: readonly number[]) {
    super(`this VM has no disk ${diskId}`, `its disks are ${known.join(', ')}`, {
      disk_id: diskId,
      disk_ids: [...known],
    });
  }
}

export class VmHasNoDisks extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'vm-has-no-disks';
  constructor(contextId: string) {
    super(`no disk is known of VM ${contextId}`, 'add the VM again (POST /api/v1/discovery/add-vms)', {
      vm_context_id: contextId,
    });
  }
}

export class VmHasNoCredential extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'vm-has-no-credential';
  constructor(contextId: string) {
    super(
      `VM ${contextId} was added without a stored vCenter credential`,
      'store the credential and add the VM again with its credential_id',
      { vm_context_id: contextId },
    );
  }
}

export class RepositoryDisabled extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'repository-disabled';
  constructor(repositoryId: string) {
    super(`repository ${repositoryId} is disabled`, 'choose an enabled repository', { repository_id: repositoryId });
  }
}

/** Which restore points there are can't be told now, so no base can be chosen. */
export class RestorePointsBehind extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'restore-points-behind';
  constructor() {
    super('the list of restore points is behind the log', 'try again; GET /api/v1/projections shows what it waits for');
  }
}

export class UnknownChain extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-chain';
  constructor(chainId: string) {
    super(
      `this disk has no chain ${chainId}`,
      'without chain_id the newest one is answered, with the ids of the others',
    );
  }
}
