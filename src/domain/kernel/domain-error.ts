import type { JsonObject } from './event.js';

/** Families of refusal. The HTTP edge maps each family to one status code; nothing else knows status codes. */
export type RefusalKind = 'not-found' | 'conflict' | 'rule-broken' | 'forbidden' | 'malformed' | 'gone' | 'unavailable';

/**
 * A named refusal. `code` is stable and part of the API; `message` tells what is in the way in the user's words;
 * `remedy` what to do about it; `facts` are extra members of the answer (ids, candidates). Never secrets, paths or output
 * of programs.
 */
export abstract class DomainError extends Error {
  abstract readonly kind: RefusalKind;
  abstract readonly code: string;

  constructor(
    message: string,
    readonly remedy?: string,
    readonly facts: JsonObject = {},
  ) {
    super(message);
    this.name = new.target.name;
  }
}
