/** Classes of SQLSTATE that say "not now" rather than "never": connections, transactions, locks, shutdown, resources. */
const TRANSIENT_CLASSES = ['08', '40', '53', '55', '57'];
/** EAGAIN: so many wait already to be taken by a server on a socket file, which is frozen or has too much to do. */
const TRANSIENT_SYSTEM_CODES = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOENT', 'EAGAIN'];
/** A name or a network that isn't there just now, as while containers start again or an address moves. */
const NOT_THERE_NOW = ['ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];

/** Whether the same may well succeed a moment later. What was sent may have been done: only repeat what may be repeated. */
export function isTransient(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string') return /connection|timeout|terminat/i.test(messageOf(error));
  const isOfSystem = TRANSIENT_SYSTEM_CODES.includes(code) || NOT_THERE_NOW.includes(code);
  return isOfSystem || TRANSIENT_CLASSES.includes(code.slice(0, 2));
}

function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : '';
}
