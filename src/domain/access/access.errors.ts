import { DomainError } from '../kernel/domain-error.js';

export class RoleIsForAppliances extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'role-is-for-appliances';
  constructor() {
    super(
      'the role agent is no role of users: what has it speaks for the agent of that name',
      'choose viewer, operator or admin; an agent proves itself with the token that it was set up with',
    );
  }
}

export class UsernameTaken extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'already-exists';
  constructor(username: string) {
    super(`a user named "${username}" exists already`, 'choose another name');
  }
}
