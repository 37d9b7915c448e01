import { DomainError } from '#domain/kernel/domain-error';

export class NotHealthy extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'not-healthy';
  constructor() {
    super('OMA can not serve just now', 'the log says more');
  }
}

export class NoStoppedProjection extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'no-stopped-projection';
  constructor(name: string) {
    super(`there is no stopped projection ${name}`, 'GET /api/v1/projections shows how they are', { name });
  }
}
