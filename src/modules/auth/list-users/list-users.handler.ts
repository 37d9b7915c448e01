import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { UserRow } from '#projections/access/user.entity';

import { type UserResponse, userResponse } from '../user.response.js';

export class ListUsers extends Query<readonly UserResponse[]> {}

@QueryHandler(ListUsers)
export class ListUsersHandler implements IQueryHandler<ListUsers> {
  constructor(private readonly rows: DataSource) {}

  async execute(): Promise<readonly UserResponse[]> {
    const rows = await this.rows.getRepository(UserRow).find({ order: { username: 'ASC' } });
    return rows.map(userResponse);
  }
}
