import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { Filter, Views } from '#platform/database/views';
import { List } from '#platform/http/paging';
import { RepositoryRow } from '#projections/repository/repository.entity';

import { CompletedBackups } from '../completed-backups.js';
import { type RepositoryResponse, repositoryResponse } from '../repository.response.js';
import { StorageInfo } from '../storage-info.js';
import type { ListRepositoriesRequest } from './list-repositories.request.js';

type Page = { readonly items: readonly RepositoryResponse[]; readonly next: string | null };

/** By name. */
export class ListRepositories extends Query<Page> {
  constructor(readonly request: ListRepositoriesRequest) {
    super();
  }
}

@QueryHandler(ListRepositories)
export class ListRepositoriesHandler implements IQueryHandler<ListRepositories> {
  constructor(
    private readonly views: Views,
    private readonly storageInfo: StorageInfo,
    private readonly completed: CompletedBackups,
  ) {}

  async execute({ request }: ListRepositories): Promise<Page> {
    const list = new List('repositories', request);
    const { type, enabled, limit } = request;
    const found = await this.views.page<RepositoryRow & { readonly asOf: string }>({
      columns: `${this.views.columns(RepositoryRow)}, ${CompletedBackups.asOf} as "asOf"`,
      view: 'repository',
      filter: new Filter().on(type, (place) => `one.type = ${place}`).on(enabled, (place) => `one.enabled = ${place}`),
      order: ['one.name', 'one.repository_id'],
      after: list.after('text', 'text'),
      limit,
    });
    const { rows, next } = list.page(found, (row) => [row.name, row.repositoryId]);
    const [first] = rows;
    if (first === undefined) return { items: [], next };
    const completed = this.completed.perRepository(first.asOf);
    const shown = async (row: RepositoryRow) => {
      const backups = completed.then((counts) => counts[row.repositoryId] ?? 0);
      return repositoryResponse(row, await this.storageInfo.recent(row, backups));
    };
    return { items: await Promise.all(rows.map(shown)), next };
  }
}
