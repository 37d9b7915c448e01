import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { cursorOf, readCursor } from '#platform/http/paging';
import { BackupProgress } from '#platform/vma/backup-progress';
import { BackupRow } from '#projections/backup/backup.entity';
import { VmDirectory } from '#projections/inventory/vm.directory';

import { backupResponse, type BackupsPageResponse } from '../backup.response.js';
import type { ListBackupsRequest } from './list-backups.request.js';

/** Newest first; every filter that is given holds, and `total` counts all that fit. */
export class ListBackups extends Query<BackupsPageResponse> {
  constructor(readonly request: ListBackupsRequest) {
    super();
  }
}

@QueryHandler(ListBackups)
export class ListBackupsHandler implements IQueryHandler<ListBackups> {
  private readonly directory: VmDirectory;

  constructor(
    private readonly rows: DataSource,
    private readonly progress: BackupProgress,
  ) {
    this.directory = new VmDirectory(rows);
  }

  async execute({ request }: ListBackups): Promise<BackupsPageResponse> {
    const after = readCursor(request.cursor, 'moment', 'text');
    const select = await this.select(request);
    const total = await select.getCount();
    if (after !== null) {
      select.andWhere('(one.created_at, one.backup_id) < (:at, :id)', { at: after[0], id: after[1] });
    }
    const found = await select
      .orderBy('one.createdAt', 'DESC')
      .addOrderBy('one.backupId', 'DESC')
      .limit(request.limit + 1)
      .getMany();
    const page = found.slice(0, request.limit);
    const progress = await this.progress.of(page.map((row) => row.backupId));
    const last = page.at(-1);
    const more = found.length > request.limit && last !== undefined;
    return {
      backups: page.map((row) => backupResponse(row, progress.get(row.backupId) ?? [])),
      total,
      next_cursor: more ? cursorOf(last.createdAt.toISOString(), last.backupId) : null,
    };
  }

  private async select(request: ListBackupsRequest) {
    const { vm_context_id: contextId, vm_name: ref, repository_id: repositoryId, status, backup_type: type } = request;
    const select = this.rows.getRepository(BackupRow).createQueryBuilder('one');
    if (contextId !== undefined) select.andWhere('one.vm_context_id = :contextId', { contextId });
    if (ref !== undefined) {
      const vm = await this.directory.resolve(ref);
      select.andWhere('one.vm_context_id = :named', { named: vm.contextId });
    }
    if (repositoryId !== undefined) select.andWhere('one.repository_id = :repositoryId', { repositoryId });
    if (status !== undefined) select.andWhere('one.status = :status', { status });
    if (type !== undefined) select.andWhere('one.backup_type = :type', { type });
    return select;
  }
}
