import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { Filter, Views } from '#platform/database/views';
import { List } from '#platform/http/paging';
import { BackupProgress, type ProgressColumn } from '#platform/vma/backup-progress';
import { BackupRow } from '#projections/backup/backup.entity';
import { VmDirectory } from '#projections/inventory/vm.directory';

import { backupResponse, type BackupsPageResponse } from '../backup.response.js';
import { BACKUP_STATUSES, BACKUP_TYPES, type ListBackupsRequest } from './list-backups.request.js';

/** Newest first; every filter that is given holds, and `total` counts all that fit. */
export class ListBackups extends Query<BackupsPageResponse> {
  constructor(readonly request: ListBackupsRequest) {
    super();
  }
}

@QueryHandler(ListBackups)
export class ListBackupsHandler implements IQueryHandler<ListBackups> {
  private readonly directory: VmDirectory;

  constructor(private readonly views: Views) {
    this.directory = new VmDirectory(views);
  }

  async execute({ request }: ListBackups): Promise<BackupsPageResponse> {
    const list = new List('backups', request);
    const { limit } = request;
    const { found, total } = await this.views.countedPage<BackupRow & { readonly progress: ProgressColumn }>({
      columns: `${this.views.columns(BackupRow)}, ${BackupProgress.column('one.backup_id')} as progress`,
      view: 'backup',
      filter: await this.filter(request),
      order: ['one.created_at', 'one.backup_id'],
      descending: true,
      after: list.after('moment', 'text'),
      limit,
    });
    const { rows, next } = list.page(found, (row) => [row.createdAt.toISOString(), row.backupId]);
    return {
      backups: rows.map((row) => backupResponse(row, BackupProgress.read(row.progress))),
      total,
      next_cursor: next,
    };
  }

  private async filter(request: ListBackupsRequest): Promise<Filter> {
    const { vm_context_id: contextId, vm_name: ref, repository_id: repositoryId, status, backup_type: type } = request;
    const named = ref === undefined ? undefined : (await this.directory.resolve(ref)).contextId;
    return new Filter()
      .on(contextId, (place) => `one.vm_context_id = ${place}`)
      .on(named, (place) => `one.vm_context_id = ${place}`)
      .on(repositoryId, (place) => `one.repository_id = ${place}`)
      .oneOf(status, BACKUP_STATUSES, (place) => `one.status = ${place}`)
      .oneOf(type, BACKUP_TYPES, (place) => `one.backup_type = ${place}`);
  }
}
