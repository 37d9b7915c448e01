import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { Filter, Views } from '#platform/database/views';
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
  constructor(private readonly views: Views) {}

  async execute({ request: { limit, cursor } }: ListUsers): Promise<Page> {
    const { found, total } = await this.views.countedPage<UserRow>({
      columns: this.views.columns(UserRow),
      view: 'app_user',
      filter: new Filter(),
      order: ['one.username', 'one.user_id'],
      after: readCursor(cursor, 'text', 'text'),
      limit,
    });
    const { rows, next } = pageOf(found, limit, (row) => [row.username, row.userId]);
    return { users: rows.map(userResponse), count: total, next_cursor: next };
  }
}
