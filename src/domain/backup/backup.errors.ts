import { DomainError } from '../kernel/domain-error.js';

export class BackupIsOver extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'job-is-over';
  constructor(jobId: string, as: string) {
    super(`job ${jobId} is ${as} already`, undefined, { job_id: jobId, status: as });
  }
}

export class BackupNotUnderWay extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'backup-not-under-way';
  constructor(jobId: string) {
    super(`backup ${jobId} hasn't been started`);
  }
}

export class ProofMissing extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'proof-missing';
  constructor(diskIds: readonly number[]) {
    super(`it is not proven that disks ${diskIds.join(', ')} were copied whole`, 'start the backup again');
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

export class IncrementalNotOffered extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'incremental-not-offered';
  constructor() {
    super('this version takes full backups only; incremental backups do not exist yet', 'ask for backup_type "full"');
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
    super(`no disk is known of VM ${contextId}`, 'discover the VM again', { vm_context_id: contextId });
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
