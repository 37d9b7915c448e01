import { ViewColumn, ViewEntity } from 'typeorm';

import type { BackupDisk, BackupRecord } from './backup.projection.js';

/** One backup: the job, and the restore point once it is completed. */
@ViewEntity({ name: 'backup', synchronize: false })
export class BackupRow {
  @ViewColumn({ name: 'backup_id' })
  readonly backupId: string;

  @ViewColumn({ name: 'vm_context_id' })
  readonly vmContextId: string;

  @ViewColumn({ name: 'vm_name' })
  readonly vmName: string;

  @ViewColumn({ name: 'repository_id' })
  readonly repositoryId: string;

  @ViewColumn()
  readonly root: string;

  @ViewColumn({ name: 'backup_type' })
  readonly backupType: string;

  @ViewColumn({ name: 'asked_for' })
  readonly askedFor: string;

  @ViewColumn({ name: 'policy_id' })
  readonly policyId: string | null;

  @ViewColumn()
  readonly tags: Readonly<Record<string, string>>;

  @ViewColumn()
  readonly status: BackupRecord['status'];

  @ViewColumn()
  readonly disks: readonly BackupDisk[];

  @ViewColumn({ name: 'total_bytes', transformer: { from: Number, to: String } })
  readonly totalBytes: number;

  @ViewColumn({ name: 'error_code' })
  readonly errorCode: string | null;

  @ViewColumn({ name: 'error_message' })
  readonly errorMessage: string | null;

  @ViewColumn({ name: 'created_at' })
  readonly createdAt: Date;

  @ViewColumn({ name: 'started_at' })
  readonly startedAt: Date | null;

  @ViewColumn({ name: 'completed_at' })
  readonly completedAt: Date | null;

  /** Of the stream that decides over it; -1 while that is empty. */
  @ViewColumn({ transformer: { from: Number, to: String } })
  readonly revision: number;
}
