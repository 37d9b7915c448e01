import { codeOf } from './error-code.js';
import { isTransient } from './transient.js';

/** What `pg` says without a code. */
const WORDS = /connection terminated|timeout exceeded when trying to connect|query read timeout|connection error/i;
const ON_SOCKETS = ['connect', 'getaddrinfo', 'read', 'write'];

/** Whether it is the database that doesn't answer just now, and not something else that is away. */
export function isDatabaseAway(error: unknown): boolean {
  if (!isTransient(error) || typeof error !== 'object' || error === null) return false;
  if (codeOf(error) === undefined) return 'message' in error && WORDS.test(String(error.message));
  const isOfServer = 'severity' in error;
  return isOfServer || ('syscall' in error && ON_SOCKETS.includes(String(error.syscall)));
}
