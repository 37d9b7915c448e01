import { DomainError } from '../kernel/domain-error.js';

export class UsernameTaken extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'already-exists';
  constructor(username: string) {
    super(`a user named "${username}" exists already`, 'choose another name');
  }
}
