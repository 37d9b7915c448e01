import type { Principal } from '#platform/http/access';

/** So long a token that was good is trusted without being looked up. */
export const TRUSTED_MS = 15 * 60_000;

/**
 * Tokens that were good when they were looked up last, in this process's memory and nowhere else, and only by their hashes. For
 * routes that must answer just when nobody can be looked up, and for nothing else.
 */
export class RecentTokens {
  private readonly known = new Map<string, { readonly principal: Principal; readonly untilMs: number }>();

  constructor(
    private readonly trustedMs = TRUSTED_MS,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** It was found, and ends by itself in `leftMs`. */
  wasGood(hash: string, principal: Principal, leftMs: number): void {
    const now = this.nowMs();
    for (const [other, { untilMs }] of this.known) if (untilMs <= now) this.known.delete(other);
    this.known.set(hash, { principal, untilMs: now + Math.min(leftMs, this.trustedMs) });
  }

  /** It was not found, or was revoked. */
  isBad(hash: string): void {
    this.known.delete(hash);
  }

  /** Whose it was, when that was asked not long ago. */
  principalOf(hash: string): Principal | null {
    const known = this.known.get(hash);
    return known !== undefined && known.untilMs > this.nowMs() ? known.principal : null;
  }
}
