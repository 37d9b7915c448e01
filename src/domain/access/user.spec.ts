import { describe, it } from '@jest/globals';

import { given } from '../../../test/kit/given.js';
import { RoleIsForAppliances, UsernameTaken } from './access.errors.js';
import { user, type UserEvent } from './user.js';

const ada = { userId: 'u1', username: 'ada', role: 'operator' } as const;
const created: UserEvent = { type: 'UserCreated', data: ada };
const creation = { type: 'CreateUser', ...ada, isUnfinished: false } as const;

describe('a user', () => {
  it('is created with a role', () => {
    given(user).when(creation).then([created]);
  });

  it('is not created twice under one name', () => {
    given(user, [created]).when(creation).then(UsernameTaken);
  });

  it('is created again when it was left without a password', () => {
    given(user, [created])
      .when({ ...creation, isUnfinished: true })
      .then([created]);
  });

  it('is not created again in another role', () => {
    given(user, [created])
      .when({ ...creation, isUnfinished: true, role: 'admin' })
      .then(UsernameTaken);
  });

  it('never has the role of appliances', () => {
    given(user)
      .when({ ...creation, role: 'agent' })
      .then(RoleIsForAppliances);
  });

  it('that an earlier version gave the role of appliances does not log in, and gives its name up', () => {
    const made: UserEvent = { type: 'UserCreated', data: { ...ada, role: 'agent' } };
    given(user, [made]).when({ type: 'RecordLogin', userId: 'u1' }).then(RoleIsForAppliances);
    given(user, [made]).when(creation).then(UsernameTaken);
    given(user, [made])
      .when({ ...creation, isUnfinished: true })
      .then([created]);
  });

  it('leaves a fact of each login and logout', () => {
    given(user, [created])
      .when({ type: 'RecordLogin', userId: 'u1' })
      .then([{ type: 'UserLoggedIn', data: { userId: 'u1' } }]);
    given(user, [created])
      .when({ type: 'RecordLogout', userId: 'u1' })
      .then([{ type: 'UserLoggedOut', data: { userId: 'u1' } }]);
  });
});
