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
    super(errors.map(({ field, message }) => `${field}: ${message}`).join('; '), 'send what the API document says', {
      errors: [...errors],
    });
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
