import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { RepositoryRow } from '#projections/repository/repository.entity';

import { type RepositoryResponse, repositoryResponse } from '../repository.response.js';
import { StorageInfo } from '../storage-info.js';

type Page = { readonly items: readonly RepositoryResponse[]; readonly next: string | null };

export class ListRepositories extends Query<Page> {
  constructor(
    readonly filter: {
      readonly type: string | undefined;
      readonly enabled: boolean | undefined;
    },
    readonly limit: number,
    readonly after: string | undefined,
  ) {
    super();
  }
}

/** By name; `after` is the id of the last repository of the page before. */
@QueryHandler(ListRepositories)
export class ListRepositoriesHandler implements IQueryHandler<ListRepositories> {
  constructor(
    private readonly rows: DataSource,
    private readonly storageInfo: StorageInfo,
  ) {}

  async execute({ filter, limit, after }: ListRepositories): Promise<Page> {
    const { type, enabled } = filter;
    const select = this.rows.getRepository(RepositoryRow).createQueryBuilder('one');
    if (type !== undefined) select.andWhere('one.type = :type', { type });
    if (enabled !== undefined) select.andWhere('one.enabled = :enabled', { enabled });
    if (after !== undefined) {
      select.andWhere(
        '(one.name, one.repository_id) > (select last.name, last.repository_id from repository last where last.repository_id = :after)',
        { after },
      );
    }
    const rows = await select
      .orderBy('one.name')
      .addOrderBy('one.repositoryId')
      .limit(limit + 1)
      .getMany();
    const page = rows.slice(0, limit);
    const items = await Promise.all(page.map(async (row) => repositoryResponse(row, await this.storageInfo.of(row))));
    return { items, next: rows.length > limit ? (page.at(-1)?.repositoryId ?? null) : null };
  }
}
