import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { UnknownBackup } from '#domain/backup/backup.errors';
import type { Shown } from '#platform/http/etag';
import { BackupProgress } from '#platform/vma/backup-progress';
import { BackupRow } from '#projections/backup/backup.entity';

import { type BackupResponse, backupResponse } from '../backup.response.js';

export class GetBackup extends Query<Shown<BackupResponse>> {
  constructor(readonly backupId: string) {
    super();
  }
}

@QueryHandler(GetBackup)
export class GetBackupHandler implements IQueryHandler<GetBackup> {
  constructor(
    private readonly rows: DataSource,
    private readonly progress: BackupProgress,
  ) {}

  async execute({ backupId }: GetBackup): Promise<Shown<BackupResponse>> {
    const row = await this.rows.getRepository(BackupRow).findOneBy({ backupId });
    if (row === null) throw new UnknownBackup(backupId);
    const body = backupResponse(row, (await this.progress.of([backupId])).get(backupId) ?? []);
    return { body, revision: row.revision };
  }
}
