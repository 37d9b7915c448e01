import { SetMetadata } from '@nestjs/common';

/** Roles of people, each with everything that the one before may do. */
export const ROLES_OF_USERS = ['viewer', 'operator', 'admin'] as const;
/** `agent` is for appliances and stands apart. */
export const ROLES = [...ROLES_OF_USERS, 'agent'] as const;
export type Role = (typeof ROLES)[number];

/** Who may call a route: everybody, or somebody with at least this role. */
export type Access = 'public' | Role;

/** Who asks, once the token was recognised. */
export interface Principal {
  readonly userId: string;
  readonly username: string;
  readonly role: Role;
}

export const ACCESS = 'oma:access';
export const DeclaresAccess = (access: Access) => SetMetadata(ACCESS, access);

/** Whether a token that was good minutes ago is good enough for a route while tokens can't be looked up. */
export const RECENT_TOKEN = 'oma:recent-token';
export const TakesRecentToken = (takes: boolean) => SetMetadata(RECENT_TOKEN, takes);

const RANK = { viewer: 1, operator: 2, admin: 3 } as const;

/** Whether a role is enough for a route. */
export function suffices(role: Role, needed: Role): boolean {
  if (role === 'agent' || needed === 'agent') return role === needed;
  return RANK[role] >= RANK[needed];
}
