import type { Principal } from './access.js';

/** Who is signed in. */
export abstract class Sessions {
  /** Whose token this is, or null when it is unknown, expired or revoked. */
  abstract principalOf(token: string): Promise<Principal | null>;
  abstract open(userId: string): Promise<{ readonly token: string; readonly expiresAt: Date }>;
  abstract revoke(token: string): Promise<void>;
}
