import { DomainError } from '../kernel/domain-error.js';

export class UnknownMount extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-mount';
  constructor(mountId: string) {
    super(`there is no mount ${mountId}`, 'GET /api/v1/restore/mounts shows the mounts there are', {
      mount_id: mountId,
    });
  }
}

export class MountIsGone extends DomainError {
  readonly kind = 'gone';
  readonly code = 'mount-is-gone';
  constructor(mountId: string) {
    super(`mount ${mountId} has been closed`, 'mount the backup again', { mount_id: mountId });
  }
}

export class MountNotOpen extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'mount-not-open';
  constructor(mountId: string, status: string) {
    super(`mount ${mountId} is ${status}, not open`, 'wait until its status is "mounted"', {
      mount_id: mountId,
      mount_status: status,
    });
  }
}

export class MountElsewhere extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'mount-elsewhere';
  constructor(mountId: string, home: { readonly instanceId: string; readonly host: string | null }) {
    super(
      home.host === null
        ? `mount ${mountId} was open at another OMA instance, which gave no sign of life`
        : `mount ${mountId} is open at another OMA instance, on ${home.host}`,
      'read its files through that instance, or mount the backup again through this one',
      { mount_id: mountId, instance_id: home.instanceId, host: home.host },
    );
  }
}

export class RestorePointNotThere extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'restore-point-not-there';
  constructor(backupId: string, status: string) {
    super(`backup ${backupId} is ${status}; only completed backups can be mounted`, 'choose a completed backup', {
      backup_id: backupId,
      backup_status: status,
    });
  }
}

export class NothingReadable extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'nothing-readable';
  constructor(partitions: readonly { readonly number: number; readonly state: string; readonly reason?: string }[]) {
    const reasons = partitions.map(({ number, reason }) => `partition ${number}: ${reason ?? 'not opened'}`).join('; ');
    super(
      partitions.length === 0 ? 'the disk has no partition and no filesystem that could be read' : reasons,
      'the backup itself is whole; restore the disk instead of single files',
    );
  }
}

export class UnknownPartition extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-partition';
  constructor(partition: number, known: readonly number[]) {
    super(`this disk has no partition ${partition}`, `its partitions are ${known.join(', ')}`, { partition });
  }
}

export class PartitionUnreadable extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'partition-unreadable';
  constructor(partition: number, reason: string) {
    super(`partition ${partition} can't be read: ${reason}`, 'the backup itself is whole; restore the disk instead', {
      partition,
    });
  }
}

export class PathNotFoundInGuest extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'path-not-found';
  constructor() {
    super('there is no such path in this mount', 'list the folder above it and use the path_encoded given there');
  }
}

export class PathRefused extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'path-refused';
  constructor(why: string, remedy = 'links, devices and pipes of a guest are shown and never followed or opened') {
    super(why, remedy);
  }
}

export class MountNotOpening extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'job-is-over';
  constructor(mountId: string, status: string) {
    super(`the job that opened mount ${mountId} is ${status} already`, 'DELETE the mount to close it', {
      job_id: mountId,
      job_status: status,
    });
  }
}

/** Each open mount has three programs or more; so many are open at once at most. */
export const MAX_MOUNTS = 32;

export class TooManyMounts extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'too-many-mounts';
  constructor() {
    super(
      `${MAX_MOUNTS} mounts are open, and more can't be`,
      'close one of them: GET /api/v1/restore/mounts shows them',
      { limit: MAX_MOUNTS },
    );
  }
}

export class FolderTooLarge extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'folder-too-large';
  constructor() {
    super('the folder has too many entries to be listed', 'download it as an archive, which has no such limit');
  }
}

export class MountDoesNotAnswer extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'mount-does-not-answer';
  constructor() {
    super("the guest's filesystem does not answer", 'try again; if it stays like this, mount the backup again');
  }
}
