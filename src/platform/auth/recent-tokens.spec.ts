import { beforeEach, describe, expect, it } from '@jest/globals';

import { RecentTokens, TRUSTED_MS } from './recent-tokens.js';

const scraper = { userId: 'u-1', username: 'prometheus', role: 'viewer' } as const;
const A_DAY_MS = 24 * 3600 * 1000;

describe('a token that was good a short while ago', () => {
  let now: number;
  let tokens: RecentTokens;

  beforeEach(() => {
    now = 0;
    tokens = new RecentTokens(TRUSTED_MS, () => now);
  });

  it('is trusted for minutes, and no longer', () => {
    tokens.wasGood('hash', scraper, A_DAY_MS);
    now = TRUSTED_MS - 1;
    expect(tokens.principalOf('hash')).toEqual(scraper);
    now = TRUSTED_MS;
    expect(tokens.principalOf('hash')).toBeNull();
  });

  it('is not trusted longer because it is used', () => {
    tokens.wasGood('hash', scraper, A_DAY_MS);
    for (now = 0; now < TRUSTED_MS; now += 1000) expect(tokens.principalOf('hash')).toEqual(scraper);
    expect(tokens.principalOf('hash')).toBeNull();
  });

  it('is not trusted beyond its own end', () => {
    tokens.wasGood('hash', scraper, 1000);
    now = 1000;
    expect(tokens.principalOf('hash')).toBeNull();
  });

  it('is not trusted any more once it was found to be bad, and another one never was', () => {
    tokens.wasGood('hash', scraper, A_DAY_MS);
    expect(tokens.principalOf('other')).toBeNull();
    tokens.isBad('hash');
    expect(tokens.principalOf('hash')).toBeNull();
  });
});
