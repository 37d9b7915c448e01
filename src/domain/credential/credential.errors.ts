import { DomainError } from '../kernel/domain-error.js';

export class UnknownCredential extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-credential';
  constructor(credentialId: number) {
    super(
      `there is no vCenter credential ${credentialId}`,
      'GET /api/v1/vmware-credentials shows the credentials there are',
      { credential_id: credentialId },
    );
  }
}

export class CredentialInactive extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'credential-inactive';
  constructor(credentialId: number) {
    super(`vCenter credential ${credentialId} is not active`, 'use an active credential', {
      credential_id: credentialId,
    });
  }
}

export class DefaultMustBeActive extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'default-must-be-active';
  constructor() {
    super('a credential that is not active cannot be the default', 'set is_active to true or is_default to false');
  }
}
