import { codeOf } from './error-code.js';
import { isTransient } from './transient.js';

/** What `pg` says without a code. */
const WORDS = /connection terminated|timeout exceeded when trying to connect|query read timeout|connection error/i;
const ON_SOCKETS = ['connect', 'getaddrinfo', 'read', 'write'];

/** Whether it is the database that doesn't answer just now, and not something else that is away. */
export function isDatabaseAway(error: unknown): boolean {
  if (!isTransient(error) || typeof error !== 'object' || error === null) return false;
  if (codeOf(error) === undefined) return 'message' in error && WORDS.test(String(error.message));
  // A name with several addresses fails with one error for each.
  if ('errors' in error && Array.isArray(error.errors)) return error.errors.some(isDatabaseAway);
  const isOfServer = 'severity' in error;
  return isOfServer || ('syscall' in error && ON_SOCKETS.includes(String(error.syscall)));
}
