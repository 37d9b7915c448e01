import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { Filter, Views } from '#platform/database/views';
import { List } from '#platform/http/paging';
import { BackupProgress, type ProgressColumn } from '#platform/vma/backup-progress';
import { BackupRow } from '#projections/backup/backup.entity';
import { certainVm, VmDirectory } from '#projections/inventory/vm.directory';

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
    const { vm_name: ref } = request;
    if (ref === undefined) return this.page(request, new Filter());
    // One statement finds both where it is beyond doubt which VM is meant, and it has backups that fit.
    const found = await this.page(
      request,
      new Filter().on(ref, (place) => `one.vm_context_id = ${certainVm(place)}`),
    );
    if (found.total > 0) return found;
    const { contextId } = await this.directory.resolve(ref);
    return this.page(
      request,
      new Filter().on(contextId, (place) => `one.vm_context_id = ${place}`),
    );
  }

  private async page(request: ListBackupsRequest, filter: Filter): Promise<BackupsPageResponse> {
    const list = new List('backups', request);
    const { vm_context_id: contextId, repository_id: repositoryId, status, backup_type: type, limit } = request;
    const { found, total } = await this.views.countedPage<BackupRow & { readonly progress: ProgressColumn }>({
      columns: `${this.views.columns(BackupRow)}, ${BackupProgress.column('one.backup_id')} as progress`,
      view: 'backup',
      filter: filter
        .on(contextId, (place) => `one.vm_context_id = ${place}`)
        .on(repositoryId, (place) => `one.repository_id = ${place}`)
        .oneOf(status, BACKUP_STATUSES, (place) => `one.status = ${place}`)
        .oneOf(type, BACKUP_TYPES, (place) => `one.backup_type = ${place}`),
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
}
