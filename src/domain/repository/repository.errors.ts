import { DomainError } from '../kernel/domain-error.js';

export class RepositoryNameTaken extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'already-exists';
  constructor(name: string, repositoryId: string) {
    super(`a repository named "${name}" exists already`, 'use that repository or choose another name', {
      repository_id: repositoryId,
    });
  }
}

export class RepositoryPathTaken extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'repository-path-taken';
  constructor(name: string, repositoryId: string) {
    super(
      `the directory is, contains or lies inside that of repository "${name}"`,
      'use that repository or a directory apart from it',
      { repository_id: repositoryId },
    );
  }
}

export class RepositoryTypeNotOffered extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'repository-type-not-offered';
  constructor(type: string) {
    super(`repositories of type "${type}" do not exist yet; this version has "local" only`, 'ask for type "local"', {
      repository_type: type,
      repository_types: ['local'],
    });
  }
}

export class ImmutabilityNotOffered extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'immutability-not-offered';
  constructor() {
    super('this version cannot make backups immutable yet', 'leave is_immutable out or set it to false');
  }
}

export class UnknownRepository extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-repository';
  constructor(repositoryId: string) {
    super(`there is no repository ${repositoryId}`, 'GET /api/v1/repositories shows the repositories there are', {
      repository_id: repositoryId,
    });
  }
}

export class RepositoryPathUnusable extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'repository-path-unusable';
  constructor(fault: string, message: string) {
    super(message, 'give an absolute path of a directory that OMA may write to', { fault });
  }
}

/** The directory was there once: its disk may not be mounted. */
export class RepositoryAway extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'repository-away';
  constructor(repositoryId: string) {
    super(`the storage of repository ${repositoryId} does not answer`, 'check that its disk is mounted', {
      repository_id: repositoryId,
    });
  }
}
