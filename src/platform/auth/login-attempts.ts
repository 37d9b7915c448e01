import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

import { TooManyAttempts } from '#platform/http/edge.errors';

const WINDOW_SECONDS = 15 * 60;
const FAILURES_PER_ACCOUNT = 10;
const FAILURES_PER_ADDRESS = 50;
const MS_PER_SECOND = 1000;

/** Counts failed logins per account and address and per address alone, and closes the door for a while. */
export class LoginAttempts {
  private readonly byAccount = new RateLimiterMemory({ points: FAILURES_PER_ACCOUNT, duration: WINDOW_SECONDS });
  private readonly byAddress = new RateLimiterMemory({ points: FAILURES_PER_ADDRESS, duration: WINDOW_SECONDS });

  /** Counts an attempt before it is checked, so that many at once can't slip through. Throws TooManyAttempts. */
  async begin(userId: string, address: string): Promise<void> {
    try {
      await this.byAddress.consume(address);
      await this.byAccount.consume(accountKey(userId, address));
    } catch (error) {
      if (error instanceof RateLimiterRes) throw new TooManyAttempts(Math.ceil(error.msBeforeNext / MS_PER_SECOND));
      throw error;
    }
  }

  /** The attempt was a good one: it doesn't count. */
  async succeeded(userId: string, address: string): Promise<void> {
    await this.byAccount.delete(accountKey(userId, address));
    await this.byAddress.reward(address);
  }
}

/** By the id, which is the same however the name is written. */
function accountKey(userId: string, address: string): string {
  return `${userId} ${address}`;
}
