import { ROLES } from '#platform/http/access';
import { Shown } from '#platform/http/answer-fields';
import type { UserRow } from '#projections/access/user.entity';

/** A user as the answer to its making shows it. */
export class NewUserResponse {
  @Shown.text('its id') id: string;
  @Shown.text('how it logs in') username: string;
  @Shown.oneOf(ROLES, 'what it may do') role: string;
}

export class UserResponse extends NewUserResponse {
  @Shown.moment('when it was created') created_at: string;
}

export class UsersResponse {
  @Shown.list(UserResponse, 'one page') users: readonly UserResponse[];
  @Shown.whole('how many there are on all pages') count: number;
  @Shown.text('cursor of the next page; null on the last', { nullable: true }) next_cursor: string | null;
}

export function userResponse(row: UserRow): UserResponse {
  return { id: row.userId, username: row.username, role: row.role, created_at: row.createdAt.toISOString() };
}
