import type { Decider } from '../kernel/decider.js';
import type { DomainEvent } from '../kernel/event.js';
import { RoleIsForAppliances, UsernameTaken } from './access.errors.js';

/**
 * What somebody may do: each role may do what the one before may; `agent` is for appliances and stands apart. Users were given it by
 * earlier versions, and may do nothing with it.
 */
export type UserRole = 'viewer' | 'operator' | 'admin' | 'agent';

/**
 * Somebody who may log in. The id follows from the name, so the stream itself keeps names unique. Said again, of the same role, by
 * whoever gives a password to a user that was left without one; of several who do so at once the first counts. Stream: `user-<id>`.
 */
export type UserCreated = DomainEvent<
  'UserCreated',
  { readonly userId: string; readonly username: string; readonly role: UserRole }
>;
/** How somebody came and went: for the audit trail. */
export type UserLoggedIn = DomainEvent<'UserLoggedIn', { readonly userId: string }>;
/** A session was ended by who had opened it; one that runs out leaves no event. */
export type UserLoggedOut = DomainEvent<'UserLoggedOut', { readonly userId: string }>;
export type UserEvent = UserCreated | UserLoggedIn | UserLoggedOut;

export type UserCommand =
  /** `isUnfinished` says that the user of this name was left without a password: nobody could ever log in as it. */
  | ({ readonly type: 'CreateUser'; readonly isUnfinished: boolean } & UserCreated['data'])
  | { readonly type: 'RecordLogin'; readonly userId: string }
  | { readonly type: 'RecordLogout'; readonly userId: string };
/**
 * Logins and logouts are decided by so many first events: whoever comes and goes was created by then. Only of somebody who begins with the
 * role of appliances the rest may tell another.
 */
export const USER_BEGINS_WITH = 8;
export type UserState = { readonly is: 'unknown' } | { readonly is: 'created'; readonly role: UserRole };

export const user: Decider<UserState, UserCommand, UserEvent> = {
  initial: { is: 'unknown' },
  evolve: (state, event) => (event.type === 'UserCreated' ? { is: 'created', role: event.data.role } : state),
  decide: (command, state) => {
    const { userId } = command;
    switch (command.type) {
      case 'CreateUser': {
        const { username, role, isUnfinished } = command;
        if (role === 'agent') throw new RoleIsForAppliances();
        if (state.is === 'created' && !(isUnfinished && (state.role === role || state.role === 'agent')))
          throw new UsernameTaken(username);
        return [{ type: 'UserCreated', data: { userId, username, role } }];
      }
      case 'RecordLogin':
        if (state.is === 'created' && state.role === 'agent') throw new RoleIsForAppliances();
        return [{ type: 'UserLoggedIn', data: { userId } }];
      case 'RecordLogout':
        return [{ type: 'UserLoggedOut', data: { userId } }];
    }
  },
};
