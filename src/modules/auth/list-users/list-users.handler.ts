import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { type PageRequest, pageOf, readCursor } from '#platform/http/paging';
import { UserRow } from '#projections/access/user.entity';

import { type UserResponse, userResponse } from '../user.response.js';

type Page = { readonly users: readonly UserResponse[]; readonly count: number; readonly next_cursor: string | null };

/** By name; `count` counts all of them. */
export class ListUsers extends Query<Page> {
  constructor(readonly request: PageRequest) {
    super();
  }
}

@QueryHandler(ListUsers)
export class ListUsersHandler implements IQueryHandler<ListUsers> {
  constructor(private readonly rows: DataSource) {}

  async execute({ request: { limit, cursor } }: ListUsers): Promise<Page> {
    const after = readCursor(cursor, 'text', 'text');
    const select = this.rows.getRepository(UserRow).createQueryBuilder('one');
    const count = await select.getCount();
    if (after !== null) select.where('(one.username, one.user_id) > (:name, :id)', { name: after[0], id: after[1] });
    const found = await select
      .orderBy('one.username')
      .addOrderBy('one.userId')
      .limit(limit + 1)
      .getMany();
    const { rows, next } = pageOf(found, limit, (row) => [row.username, row.userId]);
    return { users: rows.map(userResponse), count, next_cursor: next };
  }
}
