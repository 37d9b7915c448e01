import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { cursorOf, readCursor } from '#platform/http/paging';
import { RepositoryRow } from '#projections/repository/repository.entity';

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
    private readonly rows: DataSource,
    private readonly storageInfo: StorageInfo,
  ) {}

  async execute({ request }: ListRepositories): Promise<Page> {
    const { type, enabled, limit } = request;
    const after = readCursor(request.cursor, 'text', 'text');
    const select = this.rows.getRepository(RepositoryRow).createQueryBuilder('one');
    if (type !== undefined) select.andWhere('one.type = :type', { type });
    if (enabled !== undefined) select.andWhere('one.enabled = :enabled', { enabled });
    if (after !== null) {
      select.andWhere('(one.name, one.repository_id) > (:name, :id)', { name: after[0], id: after[1] });
    }
    const rows = await select
      .orderBy('one.name')
      .addOrderBy('one.repositoryId')
      .limit(limit + 1)
      .getMany();
    const page = rows.slice(0, limit);
    const items = await Promise.all(page.map(async (row) => repositoryResponse(row, await this.storageInfo.of(row))));
    const last = page.at(-1);
    return { items, next: rows.length > limit && last !== undefined ? cursorOf(last.name, last.repositoryId) : null };
  }
}
