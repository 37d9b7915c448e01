import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runningOma, type RunningOma } from '../kit/running-oma.js';

const FAILURES_PER_ACCOUNT = 10;

describe('the limit of failed logins, with what X-Forwarded-For says,', () => {
  let open: RunningOma;
  let behind: RunningOma;

  beforeAll(async () => {
    open = await runningOma();
    behind = await runningOma({ OMA_TRUSTED_PROXIES: '192.0.2.0/24, 127.0.0.1' });
  }, 60_000);

  afterAll(async () => {
    await open.clear();
    await behind.clear();
  });

  /** The status of a login with a wrong password. */
  const guess = async (oma: RunningOma, username: string, forwardedFor: string) => {
    const headers = { 'x-forwarded-for': forwardedFor };
    return (await oma.api.as('').post('/auth/login', { username, password: 'wrong' }, headers)).status;
  };
  const guesses = (oma: RunningOma, username: string, forwardedFor: (attempt: number) => string) =>
    Promise.all(
      Array.from({ length: FAILURES_PER_ACCOUNT }, (_, attempt) => guess(oma, username, forwardedFor(attempt))),
    );

  it('is by the connection when no proxy is trusted', async () => {
    await guesses(open, 'ada', (attempt) => `203.0.113.${attempt}`);
    expect(await guess(open, 'ada', '203.0.113.99')).toBe(429);
  });

  it('is by the address that a trusted proxy names', async () => {
    await guesses(behind, 'ada', () => '203.0.113.7');
    expect(await guess(behind, 'ada', '203.0.113.7')).toBe(429);
    expect(await guess(behind, 'ada', '203.0.113.8')).toBe(401);
  });

  it('is by what the proxy added, whatever the caller had said before', async () => {
    await guesses(behind, 'bob', (attempt) => `198.51.100.${attempt}, 203.0.113.9`);
    expect(await guess(behind, 'bob', '198.51.100.99, 203.0.113.9')).toBe(429);
  });

  it('looks through one trusted proxy behind another', async () => {
    await guesses(behind, 'eve', (attempt) => `203.0.113.10, 192.0.2.${attempt}`);
    expect(await guess(behind, 'eve', '203.0.113.10, 192.0.2.99')).toBe(429);
    expect(await guess(behind, 'eve', '203.0.113.11, 192.0.2.99')).toBe(401);
  });
});
