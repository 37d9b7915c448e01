/** Where secrets live: encrypted, outside the log, under references that events may hold. */
export abstract class Vault {
  /** Stores a secret. `fingerprint` is keyed, and of this reference: none can be guessed from it, and equal secrets have different ones. */
  abstract put(secret: string): Promise<{ readonly ref: string; readonly fingerprint: string }>;
  /** Throws SecretIsGone when there is none under this reference. */
  abstract open(ref: string): Promise<string>;
  /** Erases a secret for good; what isn't there is fine. */
  abstract forget(ref: string): Promise<void>;
}
