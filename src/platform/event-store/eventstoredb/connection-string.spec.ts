import { describe, expect, it } from '@jest/globals';

import { BadConnectionString, checkedConnectionString } from './connection-string.js';

describe('the address of an EventStoreDB', () => {
  it.each([
    'esdb://127.0.0.1:2113?tls=false',
    'esdb://admin:changeit@one:2113,two:2113,three:2113?nodePreference=leader',
    'esdb+discover://admin:p%40ss@cluster.example/?tls=true&maxDiscoverAttempts=5',
    'esdb://host',
  ])('may be %s', (url) => {
    expect(checkedConnectionString(url)).toBe(url);
  });

  it.each([
    ['an option that the client would print', 'esdb://admin:canary@host?secret=1'],
    ['an option that does not work in the client', 'esdb://admin:canary@host?tlsVerifyCert=false'],
    ['an option that makes answers wrong', 'esdb://admin:canary@host?throwOnAppendFailure=false'],
    ['nodes that may lag', 'esdb+discover://admin:canary@host?nodePreference=follower'],
    ['an option without a value', 'esdb://admin:canary@host?tls'],
    ['a value that tls does not have', 'esdb://admin:canary@host?tls=maybe'],
    ['a file that is not there', 'esdb://admin:canary@host?tls=true&tlsCAFile=/nonexistent'],
    ['no host', 'esdb://admin:canary@'],
    ['a port that is none', 'esdb://admin:canary@host:port'],
    ['another protocol', 'http://admin:canary@host'],
    ['a password that is not encoded', 'esdb://admin:can@ary@host'],
  ])('is refused with %s, and nothing of the password is shown', (_what, url) => {
    let refusal: unknown;
    try {
      checkedConnectionString(url);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(BadConnectionString);
    expect(refusal).toMatchObject({ exitCode: 78, message: expect.stringContaining('EVENTSTORE_URL') });
    expect(String(refusal)).not.toMatch(/canary|can@ary|changeit/);
  });
});
