import pg from 'pg';

import { Misfit } from '#platform/start/cannot-start';
import { type Patience, patiently } from '#platform/start/patience';

import { codeOf } from './error-code.js';
import { isTransient } from './transient.js';

/** Class 28 is a wrong account or password, 3D000 a database that doesn't exist. */
const REFUSED = /^(28...|3D000)$/;

/** What the driver says, which has no code for it. */
const NO_TLS = 'does not support SSL';

const ANSWER_WITHIN_MS = 5000;

/** Waits at start for a database that is away. Throws Unavailable when it stays away, Misfit when it refuses the account. */
export async function awaitDatabase(url: string, patience: Patience): Promise<void> {
  const where = placeOf(url);
  await patiently(where, () => connect(url, where), isAway, patience);
}

/** By a connection of its own: one that hangs must not hold a place in the pool. */
async function connect(url: string, where: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: ANSWER_WITHIN_MS,
    query_timeout: ANSWER_WITHIN_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
  } catch (error) {
    const code = codeOf(error);
    if (error instanceof Error && error.message.includes(NO_TLS)) {
      throw new Misfit(`${where} does not speak TLS, which DATABASE_URL asks for (sslmode)`);
    }
    if (typeof code !== 'string' || !REFUSED.test(code)) throw error;
    throw new Misfit(`${where} refuses the account or has no such database (${code}); see DATABASE_URL`);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function isAway(error: unknown): boolean {
  if (error instanceof Misfit) return false;
  return isTransient(error);
}

/** Never more of the address than host and port: it holds a password. */
function placeOf(url: string): string {
  const { hostname, port, searchParams } = new URL(url);
  const host = searchParams.get('host') ?? hostname;
  return `the database at ${host}${host.startsWith('/') ? '' : `:${port === '' ? '5432' : port}`}`;
}
