import type { UserRow } from '#projections/access/user.entity';

export interface UserResponse {
  id: string;
  username: string;
  role: string;
  created_at: string;
}

export function userResponse(row: UserRow): UserResponse {
  return { id: row.userId, username: row.username, role: row.role, created_at: row.createdAt.toISOString() };
}
