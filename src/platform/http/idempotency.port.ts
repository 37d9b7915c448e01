/** An answer as it was given the first time. */
export interface FirstAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

/** `commandId` is the same for every try of the request, also after a crash: streams recognise a repeat by it. */
export interface Mine {
  readonly is: 'mine';
  readonly commandId: string;
  /** Tells this claim from a later one of the same key. */
  readonly claimedAt: string;
}

export type Claim =
  | Mine
  | { readonly is: 'answered'; readonly answer: FirstAnswer }
  | { readonly is: 'under-way' }
  | { readonly is: 'other-request' };

/** Remembers for a day what was answered to a key of one user. */
export abstract class IdempotencyKeys {
  /** `request` tells one request from another: a key belongs to one. It may hold secrets, and only a keyed hash is kept. */
  abstract claim(userId: string, key: string, request: string): Promise<Claim>;
  /** Nothing happens when the claim was given up meanwhile and somebody else's request has the key by now. */
  abstract answered(userId: string, key: string, claim: Mine, answer: FirstAnswer): Promise<void>;
  /**
   * The request was refused and nothing was decided: the key is as good as new, unless somebody took the claim over. Where it was itself
   * taken over from a try that had no answer, that one may have decided something, and the key stays with the request.
   */
  abstract release(userId: string, key: string, claim: Mine): Promise<void>;
  /** Something may have been decided although there is no answer: the same request may be tried again, no other. */
  abstract abandon(userId: string, key: string, claim: Mine): Promise<void>;
}
