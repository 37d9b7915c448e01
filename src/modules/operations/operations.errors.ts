import { DomainError } from '#domain/kernel/domain-error';

const SEE_ALL = 'GET /api/v1/projections shows how they are';

export class NotHealthy extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'not-healthy';
  constructor() {
    super('OMA can not serve just now', 'the log says more');
  }
}

export class NotReady extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'not-ready';
  constructor(components: readonly string[]) {
    super(`not ready: ${components.join(', ')}`, 'ask again in a moment; the log says more', {
      not_ready: [...components],
    });
  }
}

export class UnknownProjection extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-projection';
  constructor(name: string) {
    super(`there is no projection ${name}`, SEE_ALL, { name });
  }
}

export class UnknownCheck extends DomainError {
  readonly kind = 'not-found';
  readonly code = 'unknown-check';
  constructor(name: string, checkId: string) {
    super(
      `there is no verification ${checkId} of ${name}`,
      'POST /api/v1/projections/{name}/verify begins one; results are kept for 30 days',
      { name, check_id: checkId },
    );
  }
}

export class NoStoppedProjection extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'no-stopped-projection';
  constructor(name: string) {
    super(`neither the projection ${name} nor a rebuild of it has stopped`, SEE_ALL, { name });
  }
}

export class NotStoppedThere extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'not-stopped-there';
  constructor(name: string, eventId: string) {
    super(`the projection ${name} has not stopped at the event ${eventId}`, SEE_ALL, { name, event_id: eventId });
  }
}

export class RebuildUnderWay extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'rebuild-under-way';
  constructor(name: string) {
    super(
      `the rows of ${name} are being built already`,
      'wait for it, or cancel it: DELETE /api/v1/projections/{name}/rebuild',
      { name },
    );
  }
}

export class NoRebuildUnderWay extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'no-rebuild-under-way';
  constructor(name: string) {
    super(`no rows of ${name} are being built that could be given up`, SEE_ALL, { name });
  }
}

/** Only the rows of this program's own version can be made by it. */
export class OtherVersionLive extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'other-version-live';
  constructor(name: string, live: number) {
    super(
      `the rows of ${name} that are read now are of version ${live}, which this OMA doesn't make`,
      'start one version of OMA everywhere, and wait until it has caught up',
      { name, version: live },
    );
  }
}

export class ReasonMissing extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'reason-missing';
  constructor() {
    super('leaving an event out needs a reason', 'say why in the header X-Reason');
  }
}
