import { randomBytes } from 'node:crypto';

/** A server that tests are to run against, others' events and all; without one they use doubles and PostgreSQL. */
export const givenEventStore: string | undefined = process.env['EVENTSTORE_URL'];

/** Names that no other test has on a server that others write to. */
export function freshNamespace(): string {
  return `t${randomBytes(6).toString('hex')}`;
}

/** Settings of an OMA with a log of its own on the given server; none when there isn't one. */
export function ownLogSettings(): Readonly<Record<string, string>> {
  if (givenEventStore === undefined) return {};
  return { EVENTSTORE_URL: givenEventStore, EVENTSTORE_NAMESPACE: freshNamespace() };
}

const FAR = '00000900000000000000';

/** A position in the form of the log that tests use by default, far behind everything that was ever written. */
export const POSITION_AHEAD = givenEventStore === undefined ? FAR : `${FAR}/${FAR}`;
