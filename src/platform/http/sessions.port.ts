import type { Principal } from './access.js';

/** Who is signed in. */
export abstract class Sessions {
  /** Whose token this is, or null when it is unknown, expired or revoked. */
  abstract principalOf(token: string): Promise<Principal | null>;
  /**
   * The same, for a route that must answer while tokens can't be looked up: then it is whose token it was when this was asked
   * last, minutes ago at most. What this process never asked, or asked too long ago, can't be known then either.
   */
  abstract recentPrincipalOf(token: string): Promise<Principal | null>;
  abstract open(userId: string): Promise<{ readonly token: string; readonly expiresAt: Date }>;
  abstract revoke(token: string): Promise<void>;
}
