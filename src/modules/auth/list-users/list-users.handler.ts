import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { Filter, Views } from '#platform/database/views';
import { List, type PageRequest } from '#platform/http/paging';
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

  async execute({ request }: ListUsers): Promise<Page> {
    const list = new List('users', request);
    const { limit } = request;
    const { found, total } = await this.views.countedPage<UserRow>({
      columns: this.views.columns(UserRow),
      view: 'app_user',
      filter: new Filter(),
      order: ['one.username', 'one.user_id'],
      after: list.after('text', 'text'),
      limit,
    });
    const { rows, next } = list.page(found, (row) => [row.username, row.userId]);
    return { users: rows.map(userResponse), count: total, next_cursor: next };
  }
}
