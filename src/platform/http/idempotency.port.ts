/** An answer as it was given the first time. */
export interface FirstAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

export type Claim =
  | { readonly is: 'mine' }
  | { readonly is: 'answered'; readonly answer: FirstAnswer }
  | { readonly is: 'under-way' }
  | { readonly is: 'other-request' };

/** Remembers for a day what was answered to a key of one user. */
export abstract class IdempotencyKeys {
  /** `request` tells one request from another: a key belongs to one. It may hold secrets, and only a keyed hash is kept. */
  abstract claim(userId: string, key: string, request: string): Promise<Claim>;
  abstract answered(userId: string, key: string, answer: FirstAnswer): Promise<void>;
  /** The request was refused or failed: the same key may be tried again. */
  abstract release(userId: string, key: string): Promise<void>;
}
