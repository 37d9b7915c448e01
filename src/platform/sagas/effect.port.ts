import type { JsonObject } from '#domain/kernel/event';
import type { Failure } from '#domain/kernel/saga';

/** What an executor found in the world before it acts. */
export type Observation =
  | { readonly state: 'done'; readonly result: JsonObject }
  | { readonly state: 'absent' }
  /** Begun but not finished: `execute` is asked to go on or to begin again. */
  | { readonly state: 'partial' };

export interface EffectContext {
  readonly effectId: string;
  /** Name of the saga that asked, and the event in which it did. */
  readonly saga: string;
  readonly requestedEventId: string;
  readonly attempt: number;
  readonly correlationId: string;
  /** Aborts on cancel, on the attempt's time limit and on shutdown. */
  readonly signal: AbortSignal;
}

/**
 * One kind of side effect. The worker calls `observe` before `execute` on every attempt; so both must be harmless when
 * repeated, and `observe` must tell the truth after a crash at any moment of `execute`.
 */
export interface EffectExecutor<Args extends JsonObject = JsonObject> {
  readonly kind: string;
  /**
   * Where it may be done. Without a word: by the instance where its saga began, or by any other once that one is given up.
   * `anywhere`: it touches the database alone, so by anybody while that instance isn't alive. `machine`: what it makes or
   * ends exists on that instance's machine only; nobody else can do it, ever.
   */
  readonly reach?: 'anywhere' | 'machine';
  /**
   * For what may last for hours: so many of this kind are under way here at once, in places of their own. Without a word it
   * takes one of the places that all short ones share.
   */
  readonly ownPlaces?: number;
  observe(args: Args, context: EffectContext): Promise<Observation>;
  /** Throws EffectError; anything else thrown counts as transient. */
  execute(args: Args, context: EffectContext): Promise<JsonObject>;
  /** For watched kinds: why it no longer lives, or null while it does. */
  ended?(args: Args, result: JsonObject): Promise<string | null>;
}

/** `transient` is tried again; `permanent` is not; `unknown` (it may have happened) is observed again first. */
export type Certainty = 'transient' | 'permanent' | 'unknown';

/** An effect's failure in words for the user; `cause` is for the log only. */
export class EffectError extends Error {
  constructor(
    readonly certainty: Certainty,
    readonly failure: Failure,
    options?: ErrorOptions,
  ) {
    super(failure.message, options);
    this.name = 'EffectError';
  }
}
