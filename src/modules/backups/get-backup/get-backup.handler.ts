import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { UnknownBackup } from '#domain/backup/backup.errors';
import { Views } from '#platform/database/views';
import type { Shown } from '#platform/http/etag';
import { BackupProgress, type ProgressColumn } from '#platform/vma/backup-progress';
import { BackupRow } from '#projections/backup/backup.entity';

import { type BackupResponse, backupResponse } from '../backup.response.js';

export class GetBackup extends Query<Shown<BackupResponse>> {
  constructor(readonly backupId: string) {
    super();
  }
}

@QueryHandler(GetBackup)
export class GetBackupHandler implements IQueryHandler<GetBackup> {
  constructor(private readonly views: Views) {}

  async execute({ backupId }: GetBackup): Promise<Shown<BackupResponse>> {
    const [row] = await this.views.select<BackupRow & { readonly progress: ProgressColumn }>(
      `select ${this.views.columns(BackupRow)}, ${BackupProgress.column('one.backup_id')} as progress
         from backup one where one.backup_id = $1`,
      [backupId],
    );
    if (row === undefined) throw new UnknownBackup(backupId);
    return { body: backupResponse(row, BackupProgress.read(row.progress)), revision: row.revision };
  }
}
