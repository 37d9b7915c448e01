import type { DomainEvent, JsonObject, StoredEvent } from './event.js';

/** What a saga asks of the world. It stands in the log (`EffectRequested`) before anything is done. */
export interface EffectRequest {
  /** Unique within the saga; two requests of one step are the same effect. */
  readonly step: string;
  /** The step in plain language, for people who watch the job. */
  readonly title: string;
  /** Which executor does it. */
  readonly kind: string;
  readonly args: JsonObject;
  /** Effects on one resource never overlap. */
  readonly resource: string;
  /** Limit of one attempt. */
  readonly timeoutSeconds: number;
  readonly retry: RetryRule;
  /** True when what was started must go on living until a step that `ends` it: its early end is an input of the saga. */
  readonly watched?: boolean;
  /** The watched steps that this effect ends on purpose. */
  readonly ends?: readonly string[];
}

/** A step as it is announced before it is taken. */
export interface PlannedStep {
  readonly step: string;
  readonly title: string;
}

export interface RetryRule {
  readonly attempts: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Why an effect failed, in words for the user: no paths, no output of programs, no secrets. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly remedy?: string;
}

/** An event of another stream that this saga goes on from. The first one starts it. Stream: `<saga>-<id>`. */
export type SagaInputReceived = DomainEvent<
  'SagaInputReceived',
  {
    readonly eventId: string;
    readonly type: string;
    readonly data: JsonObject;
    /** Only with the input that starts the saga: the steps it means to take. */
    readonly planned?: readonly PlannedStep[];
  }
>;
/** What is to be done outside the saga, in the log before anybody does it. */
export type EffectRequested = DomainEvent<
  'EffectRequested',
  EffectRequest & {
    readonly effectId: string;
    /** Ids of the effects whose watch this one ends. */
    readonly endsEffects: readonly string[];
  }
>;
/** The saga has no use for the effect any more; who is at it leaves off. */
export type EffectCancelRequested = DomainEvent<'EffectCancelRequested', EffectRef>;
/** It was done, or turned out to have been done before. */
export type EffectSucceeded = DomainEvent<
  'EffectSucceeded',
  EffectRef & { readonly attempt: number; readonly result: JsonObject }
>;
/** It failed and is not tried again; the saga decides what follows, as a rule to undo what came before. */
export type EffectFailed = DomainEvent<
  'EffectFailed',
  EffectRef & { readonly attempt: number; readonly failure: Failure }
>;
/** Nobody goes on with it: it was not begun, was left off, or is not waited for any more. What it began is undone. */
export type EffectCancelled = DomainEvent<'EffectCancelled', EffectRef>;
/** Something that was started and watched has ended by itself. */
export type WatchEnded = DomainEvent<'WatchEnded', EffectRef & { readonly detail: string }>;
/** The saga wants to go on at a later time. */
export type TimerSet = DomainEvent<
  'TimerSet',
  { readonly timerId: string; readonly step: string; readonly seconds: number }
>;
/** The time has come. */
export type TimerFired = DomainEvent<'TimerFired', { readonly timerId: string; readonly step: string }>;
/** The last event of a saga; names the watches and timers that end with it. */
export type SagaEnded = DomainEvent<
  'SagaEnded',
  { readonly outcome: string; readonly effectIds: readonly string[]; readonly timerIds: readonly string[] }
>;

interface EffectRef {
  readonly effectId: string;
  readonly step: string;
}

/** Everything that may stand in a saga's own stream. */
export type SagaEvent =
  | SagaInputReceived
  | EffectRequested
  | EffectCancelRequested
  | EffectSucceeded
  | EffectFailed
  | EffectCancelled
  | WatchEnded
  | TimerSet
  | TimerFired
  | SagaEnded;

/** Those of them that a saga reacts to; the others are its own decisions. */
export type SagaInput = SagaInputReceived | EffectSucceeded | EffectFailed | EffectCancelled | WatchEnded | TimerFired;

export type Decision =
  | { readonly do: 'effect'; readonly effect: EffectRequest }
  | { readonly do: 'cancelEffect'; readonly step: string }
  | { readonly do: 'timer'; readonly step: string; readonly seconds: number }
  | { readonly do: 'end'; readonly outcome: string };

/**
 * What happens next without being asked, as pure functions. The state folds from the saga's own stream alone; `react`
 * is asked with the state *after* the input was folded in.
 */
export interface Saga<State> {
  /** Also the category of its streams: `<name>-<id>`, `[a-z]+`. */
  readonly name: string;
  readonly version: number;
  /** Types of domain events that may concern it. */
  readonly listensTo: readonly string[];
  /** The id of the saga that a domain event concerns, or null; `starts` tells whether it may begin a new one. */
  correlate(event: StoredEvent): { readonly id: string; readonly starts: boolean } | null;
  initial(): State;
  evolve(state: State, event: SagaEvent): State;
  react(state: State, input: SagaInput): readonly Decision[];
  /** The steps that lie ahead of a saga that has just started. */
  planned(state: State): readonly PlannedStep[];
}
