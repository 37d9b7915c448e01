import { DomainError } from '#domain/kernel/domain-error';
import type { JsonObject } from '#domain/kernel/event';

/** A refusal that only the HTTP edge knows, with its own status and headers. */
export abstract class EdgeRefusal extends Error {
  abstract readonly status: number;
  abstract readonly code: string;
  readonly headers: Readonly<Record<string, string>> = {};

  constructor(
    message: string,
    readonly remedy: string,
    readonly facts: JsonObject = {},
  ) {
    super(message);
    this.name = new.target.name;
  }
}

export class Unauthenticated extends EdgeRefusal {
  readonly status = 401;
  readonly code = 'unauthenticated';
  override readonly headers = { 'www-authenticate': 'Bearer' };
  constructor(message = 'a valid bearer token is needed') {
    super(message, 'POST /api/v1/auth/login gives a token');
  }
}

/** The contract's answer to a failed login has two members of its own (contract-a 4). */
export class LoginFailed extends EdgeRefusal {
  readonly status = 401;
  readonly code = 'login-failed';
  constructor() {
    const message = 'username or password is wrong';
    super(message, 'check both', { success: false, error_message: message });
  }
}

export class TooManyAttempts extends EdgeRefusal {
  readonly status = 429;
  readonly code = 'too-many-attempts';
  override readonly headers: Readonly<Record<string, string>>;
  constructor(retryAfterSeconds: number) {
    super('too many failed attempts to log in', `try again in ${retryAfterSeconds} seconds`);
    this.headers = { 'retry-after': String(retryAfterSeconds) };
  }
}

/** The same key came with another request. */
export class IdempotencyKeyReused extends EdgeRefusal {
  readonly status = 422;
  readonly code = 'idempotency-key-reused';
  constructor() {
    super('this Idempotency-Key was used for another request', 'use a new key for a new request');
  }
}

export class RequestUnderWay extends EdgeRefusal {
  readonly status = 409;
  readonly code = 'request-under-way';
  override readonly headers = { 'retry-after': '1' };
  constructor() {
    super('the first request with this Idempotency-Key is still being answered', 'ask again in a moment');
  }
}

export class RoleDoesNotSuffice extends DomainError {
  readonly kind = 'forbidden';
  readonly code = 'role-does-not-suffice';
  constructor(role: string, needed: string) {
    super(`this needs the role ${needed}, and yours is ${role}`, `ask somebody with the role ${needed}`);
  }
}

/** One thing that is wrong with a request. */
export interface FieldError extends JsonObject {
  /** Dotted path in the body, or the name of the query or path parameter. */
  readonly field: string;
  readonly message: string;
}

export class MalformedRequest extends DomainError {
  readonly kind = 'malformed';
  readonly code = 'malformed-request';
  constructor(errors: readonly FieldError[]) {
    super(
      errors.map(({ field, message }) => `${field}: ${message}`).join('; '),
      'send what the API document says; GET /swagger shows it',
      { errors: [...errors] },
    );
  }
}

/** Its bytes are JSON only when they are unpacked, which nobody does here. */
export class CompressedBody extends EdgeRefusal {
  readonly status = 415;
  readonly code = 'unsupported-media-type';
  constructor() {
    super('the body must not be compressed', 'send it as it is, without Content-Encoding');
  }
}

export class RangeNotSatisfiable extends EdgeRefusal {
  readonly status = 416;
  readonly code = 'range-not-satisfiable';
  override readonly headers: Readonly<Record<string, string>>;
  constructor(sizeBytes: number) {
    super(`the file has ${sizeBytes} bytes`, 'ask for a range within it');
    this.headers = { 'content-range': `bytes */${sizeBytes}` };
  }
}

/** A list's `cursor` that this list never gave: malformed like any other parameter, and told where to begin anew. */
export class UnknownCursor extends EdgeRefusal {
  readonly status = 400;
  readonly code = 'malformed-request';
  constructor() {
    const message = 'is not a next_cursor of this list';
    // Where the list begins there is no cursor: that is the newest valid one.
    const facts = { errors: [{ field: 'cursor', message }], newest_cursor: null };
    super(`cursor: ${message}`, 'leave the cursor out to begin with the first page', facts);
  }
}

/** A position that this log never gave. */
export class UnknownPosition extends EdgeRefusal {
  readonly status = 400;
  readonly code = 'unknown-position';
  constructor(newest: string) {
    super('this log never gave that position', 'send one that an answer or an event named', {
      newest_position: newest,
    });
  }
}

/** A position of another log, or of a time before a restore: waiting for it could take for ever. */
export class PositionAhead extends EdgeRefusal {
  readonly status = 400;
  readonly code = 'position-ahead-of-log';
  constructor(newest: string) {
    super('that position lies ahead of the log', 'go on from newest_position', { newest_position: newest });
  }
}

export class ReadModelsBehind extends EdgeRefusal {
  readonly status = 503;
  readonly code = 'read-models-behind';
  override readonly headers = { 'retry-after': '1' };
  constructor() {
    super('what this route reads has not passed X-Min-Position yet', 'ask again in a moment');
  }
}

/** `If-Match` named another revision than the one there is. */
export class PreconditionFailed extends EdgeRefusal {
  readonly status = 412;
  readonly code = 'precondition-failed';
  override readonly headers: Readonly<Record<string, string>>;
  constructor(currentEtag: string | null, why: keyof typeof UNMATCHED) {
    super(UNMATCHED[why].detail, UNMATCHED[why].remedy, { current_etag: currentEtag });
    this.headers = currentEtag === null ? {} : { etag: currentEtag };
  }
}

const UNMATCHED = {
  changed: { detail: 'it was changed meanwhile', remedy: 'read it again, then decide again' },
  beginning: { detail: 'it is only beginning and has no ETag yet', remedy: 'read it again until it has one' },
  nothing: { detail: 'there is nothing here that If-Match could speak of', remedy: 'leave If-Match out' },
} as const;

/** Streams of events are connections that stay. */
export class TooManyStreams extends EdgeRefusal {
  readonly status = 429;
  readonly code = 'too-many-streams';
  override readonly headers = { 'retry-after': '5' };
  constructor(limit: number) {
    super(`you have ${limit} streams open already`, 'close one of them', { limit });
  }
}

/** It is decided and goes on; only the rows that the answer is made of aren't there. The same key gets the answer later. */
export class NotVisibleYet extends EdgeRefusal {
  readonly status = 503;
  readonly code = 'not-visible-yet';
  override readonly headers: Readonly<Record<string, string>>;
  constructor(id: string) {
    const remedy = 'look at the job that Location names, with X-Event-Position as X-Min-Position';
    super('it is begun and goes on, but can not be shown yet', remedy, { id });
    this.headers = { 'retry-after': '1', 'x-consistency': 'pending', location: `/api/v1/jobs/${id}` };
  }
}
