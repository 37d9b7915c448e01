import { ViewColumn, ViewEntity } from 'typeorm';

import type { MountedPartition } from '#domain/restore/mount';

import type { MountRecord } from './mount.projection.js';

/** A restore point of one disk, opened for browsing. */
@ViewEntity({ name: 'mount', synchronize: false })
export class MountRow {
  @ViewColumn({ name: 'mount_id' })
  readonly mountId: string;

  @ViewColumn({ name: 'backup_id' })
  readonly backupId: string;

  @ViewColumn({ name: 'disk_id' })
  readonly diskId: number;

  @ViewColumn({ name: 'vm_context_id' })
  readonly vmContextId: string;

  @ViewColumn({ name: 'vm_name' })
  readonly vmName: string;

  @ViewColumn({ name: 'idle_seconds' })
  readonly idleSeconds: number;

  @ViewColumn()
  readonly status: MountRecord['status'];

  @ViewColumn()
  readonly partitions: readonly MountedPartition[];

  @ViewColumn({ name: 'error_code' })
  readonly errorCode: string | null;

  @ViewColumn({ name: 'error_message' })
  readonly errorMessage: string | null;

  @ViewColumn({ name: 'error_remedy' })
  readonly errorRemedy: string | null;

  @ViewColumn({ name: 'requested_by' })
  readonly requestedBy: string;

  @ViewColumn({ name: 'created_at' })
  readonly createdAt: Date;

  @ViewColumn({ name: 'opened_at' })
  readonly openedAt: Date | null;

  @ViewColumn({ name: 'closed_at' })
  readonly closedAt: Date | null;

  /** Of the stream that decides over it; -1 while that is empty. */
  @ViewColumn({ transformer: { from: Number, to: String } })
  readonly revision: number;
}
