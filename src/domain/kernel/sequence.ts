import type { JsonObject, StoredEvent } from './event.js';
import type { Decision, EffectRequest, Failure, Saga, SagaEvent, SagaInput } from './saga.js';

/** One forward step; `undo` is asked for whenever the step was begun and the sequence doesn't reach its end. */
export interface Step {
  readonly effect: EffectRequest;
  readonly undo?: EffectRequest;
}

export type Results = Readonly<Record<string, JsonObject>>;

/** Why and how a sequence ended; `undone` lists undo steps that failed, so what may be left behind. */
export interface Ending {
  readonly outcome: 'completed' | 'failed' | 'cancelled' | 'closed';
  readonly step: string | null;
  readonly failure: Failure | null;
  readonly leftovers: readonly string[];
}

/**
 * A process that does steps in order, in groups whose members run side by side, and walks the begun ones backwards when
 * one fails or somebody cancels. With `stay` it doesn't end after its last step: it holds what it opened until it is
 * closed, something watched ends, or its check says so; then it walks backwards too.
 */
export interface Sequence<Start> {
  readonly name: string;
  readonly version: number;
  readonly listensTo: readonly string[];
  correlate(event: StoredEvent): { readonly id: string; readonly starts: boolean } | null;
  /** The start's facts out of the event that started it. */
  start(type: string, data: JsonObject): Start | null;
  /** Whether a later event asks to stop, and in which words. */
  stop(type: string, data: JsonObject): Failure | null;
  /** Groups in order. May grow with results, but what was there before never changes. */
  groups(start: Start, results: Results): readonly (readonly Step[])[];
  readonly stay?: {
    checkSeconds(start: Start): number;
    check(start: Start, count: number): EffectRequest;
    /** Reason to close, or null to go on. */
    closes(start: Start, result: JsonObject): Failure | null;
  };
  /** What is left to say when all is done or undone: commands to the domain, in order. */
  conclude(start: Start, results: Results, ending: Ending): readonly EffectRequest[];
}

export interface SequenceState<Start> {
  readonly start: Start | null;
  readonly ending: Ending | null;
  readonly ended: boolean;
  /** The domain refused the good end; what was done is undone, and the domain told again. */
  readonly isRefused: boolean;
  /** Every requested step in order, with what became of it; of the checks only the open one. */
  readonly steps: Readonly<Record<string, 'open' | 'succeeded' | 'failed' | 'cancelled'>>;
  readonly cancelling: readonly string[];
  readonly results: Results;
  /** How many timers were ever set, and whether the last of them is still to fire. */
  readonly timers: { readonly count: number; readonly pending: boolean };
}

const UNDO = 'undo:';
const CHECK = 'check:';
const CONCLUDE = 'conclude:';
const CONCLUDE_REFUSED = 'conclude-refused:';
const BACKWARD = [UNDO, CONCLUDE, CONCLUDE_REFUSED];
const RESERVED = [UNDO, CHECK, CONCLUDE, CONCLUDE_REFUSED];

/** Turns the description into a saga. */
export function sequence<Start>(definition: Sequence<Start>): Saga<SequenceState<Start>> {
  return {
    name: definition.name,
    version: definition.version,
    listensTo: definition.listensTo,
    correlate: (event) => definition.correlate(event),
    initial: () => ({
      start: null,
      ending: null,
      ended: false,
      isRefused: false,
      steps: {},
      cancelling: [],
      results: {},
      timers: { count: 0, pending: false },
    }),
    evolve: (state, event) => evolve(definition, state, event),
    react: (state, input) => react(definition, state, input),
    planned: ({ start }) =>
      start === null
        ? []
        : groupsOf(definition, start, {})
            .flat()
            .map(({ effect: { step, title } }) => ({ step, title })),
  };
}

/** The steps as described; the prefixes of the steps that are added here are not theirs to use. */
function groupsOf<Start>(definition: Sequence<Start>, start: Start, results: Results): readonly (readonly Step[])[] {
  const groups = definition.groups(start, results);
  const clash = groups.flat().find(({ effect }) => RESERVED.some((prefix) => effect.step.startsWith(prefix)));
  if (clash !== undefined) throw new Error(`a step can't be named ${clash.effect.step}: its prefix is reserved`);
  return groups;
}

function evolve<Start>(
  definition: Sequence<Start>,
  state: SequenceState<Start>,
  event: SagaEvent,
): SequenceState<Start> {
  switch (event.type) {
    case 'SagaInputReceived': {
      if (state.start === null) return { ...state, start: definition.start(event.data.type, event.data.data) };
      const wish = definition.stop(event.data.type, event.data.data);
      if (wish === null) return state;
      return endBy(state, {
        outcome: isStaying(definition, state) ? 'closed' : 'cancelled',
        step: null,
        failure: wish,
      });
    }
    case 'EffectRequested':
      return { ...state, steps: { ...state.steps, [event.data.step]: 'open' } };
    case 'EffectCancelRequested':
      return { ...state, cancelling: [...state.cancelling, event.data.step] };
    case 'EffectSucceeded':
      return succeeded(definition, state, event.data.step, event.data.result);
    case 'EffectFailed':
      return failed(state, event.data.step, event.data.failure);
    case 'EffectCancelled':
      return { ...state, steps: settledSteps(state, event.data.step, 'cancelled') };
    case 'WatchEnded': {
      const failure = { code: 'ended-by-itself', message: event.data.detail };
      return endBy(state, {
        outcome: isStaying(definition, state) ? 'closed' : 'failed',
        step: event.data.step,
        failure,
      });
    }
    case 'TimerSet':
      return { ...state, timers: { count: state.timers.count + 1, pending: true } };
    case 'TimerFired':
      return { ...state, timers: { ...state.timers, pending: false } };
    case 'SagaEnded':
      return { ...state, ended: true };
  }
}

/** The first reason counts; what ends for a reason isn't ended again for another. */
function endBy<Start>(state: SequenceState<Start>, ending: Omit<Ending, 'leftovers'>): SequenceState<Start> {
  return state.ending === null ? { ...state, ending: { ...ending, leftovers: [] } } : state;
}

/** Settled checks are dropped: a sequence that stays checks for weeks, and its state must not grow with every check. */
function settledSteps<Start>(
  { steps }: SequenceState<Start>,
  step: string,
  became: 'succeeded' | 'failed' | 'cancelled',
): SequenceState<Start>['steps'] {
  if (!step.startsWith(CHECK)) return { ...steps, [step]: became };
  return Object.fromEntries(Object.entries(steps).filter(([name]) => name !== step));
}

function succeeded<Start>(
  definition: Sequence<Start>,
  before: SequenceState<Start>,
  step: string,
  result: JsonObject,
): SequenceState<Start> {
  const state = {
    ...before,
    steps: settledSteps(before, step, 'succeeded'),
    results: step.startsWith(CHECK) ? before.results : { ...before.results, [step]: result },
  };
  if (state.ending !== null || state.start === null) return state;
  if (step.startsWith(CHECK)) {
    const reason = definition.stay?.closes(state.start, result) ?? null;
    return reason === null ? state : endBy(state, { outcome: 'closed', step: null, failure: reason });
  }
  if (definition.stay !== undefined || nextGroup(definition, state) !== null) return state;
  return endBy(state, { outcome: 'completed', step: null, failure: null });
}

function failed<Start>(before: SequenceState<Start>, step: string, failure: Failure): SequenceState<Start> {
  const state = { ...before, steps: settledSteps(before, step, 'failed') };
  if (step.startsWith(CHECK)) return state;
  if (state.ending === null) return endBy(state, { outcome: 'failed', step, failure });
  if (isRefusalOfGoodEnd(state, step)) {
    return { ...state, isRefused: true, ending: { outcome: 'failed', step, failure, leftovers: [] } };
  }
  if (!step.startsWith(UNDO)) return state;
  return { ...state, ending: { ...state.ending, leftovers: [...state.ending.leftovers, step.slice(UNDO.length)] } };
}

/** Nothing was told yet, so everything can still be undone; later conclusions can't take the first one back. */
function isRefusalOfGoodEnd<Start>({ ending, steps }: SequenceState<Start>, step: string): boolean {
  if (ending?.outcome !== 'completed' || !step.startsWith(CONCLUDE)) return false;
  return !Object.entries(steps).some(([name, is]) => name.startsWith(CONCLUDE) && is === 'succeeded');
}

/** The group at hand: the first with a step that hasn't succeeded; null when all have. */
function nextGroup<Start>(definition: Sequence<Start>, state: SequenceState<Start>): readonly Step[] | null {
  if (state.start === null) return null;
  const groups = groupsOf(definition, state.start, state.results);
  return groups.find((group) => group.some((step) => state.steps[step.effect.step] !== 'succeeded')) ?? null;
}

function isStaying<Start>(definition: Sequence<Start>, state: SequenceState<Start>): boolean {
  return definition.stay !== undefined && state.start !== null && nextGroup(definition, state) === null;
}

function react<Start>(definition: Sequence<Start>, state: SequenceState<Start>, input: SagaInput): readonly Decision[] {
  if (state.start === null || state.ended) return [];
  if (state.ending === null) return goOn(definition, state, state.start, input);
  return windUp(definition, state, state.start, state.ending);
}

function goOn<Start>(
  definition: Sequence<Start>,
  state: SequenceState<Start>,
  start: Start,
  input: SagaInput,
): readonly Decision[] {
  const group = nextGroup(definition, state);
  if (group !== null) {
    return group
      .filter((step) => !(step.effect.step in state.steps))
      .map((step) => ({ do: 'effect', effect: step.effect }));
  }
  if (definition.stay === undefined) return [];
  const checks = state.timers.count;
  if (input.type === 'TimerFired') {
    return [{ do: 'effect', effect: { ...definition.stay.check(start, checks), step: `${CHECK}${checks}` } }];
  }
  if (state.timers.pending || isOpen(state, CHECK)) return [];
  return [{ do: 'timer', step: `stay:${checks + 1}`, seconds: definition.stay.checkSeconds(start) }];
}

/** First what is under way comes to rest, then the begun steps are undone backwards, then the domain is told. */
function windUp<Start>(
  definition: Sequence<Start>,
  state: SequenceState<Start>,
  start: Start,
  ending: Ending,
): readonly Decision[] {
  const forward = Object.keys(state.steps).filter((step) => !BACKWARD.some((prefix) => step.startsWith(prefix)));
  const open = forward.filter((step) => state.steps[step] === 'open');
  if (open.length > 0) {
    return open.filter((step) => !state.cancelling.includes(step)).map((step) => ({ do: 'cancelEffect', step }));
  }
  const undos = ending.outcome === 'completed' ? [] : undoSteps(definition, state, start, forward);
  const conclusion = definition
    .conclude(start, state.results, ending)
    .map((effect) => ({ ...effect, step: `${state.isRefused ? CONCLUDE_REFUSED : CONCLUDE}${effect.step}` }));
  const next = [...undos, ...conclusion].find((effect) => isUnsettled(state, effect.step));
  if (next === undefined) return [{ do: 'end', outcome: ending.outcome }];
  return next.step in state.steps ? [] : [{ do: 'effect', effect: next }];
}

function undoSteps<Start>(
  definition: Sequence<Start>,
  state: SequenceState<Start>,
  start: Start,
  begun: readonly string[],
): readonly EffectRequest[] {
  const all = new Map(
    groupsOf(definition, start, state.results)
      .flat()
      .map((step) => [step.effect.step, step] as const),
  );
  return begun.toReversed().flatMap((name) => {
    const undo = all.get(name)?.undo;
    return undo === undefined ? [] : [{ ...undo, step: `${UNDO}${name}` }];
  });
}

function isUnsettled<Start>(state: SequenceState<Start>, step: string): boolean {
  return !(step in state.steps) || state.steps[step] === 'open';
}

function isOpen<Start>(state: SequenceState<Start>, prefix: string): boolean {
  return Object.entries(state.steps).some(([step, is]) => step.startsWith(prefix) && is === 'open');
}
