import type { DomainEvent } from './event.js';

/**
 * What may happen in one stream, as pure functions. `decide` answers the new facts or throws a DomainError; an empty
 * answer means that nothing needs to happen. What a decision needs from outside (time, ids, capacity) is in the command.
 */
export interface Decider<State, Command, Event extends DomainEvent> {
  readonly initial: State;
  evolve(state: State, event: Event): State;
  decide(command: Command, state: State): readonly Event[];
}

/** The state that a history leads to. */
export function replay<State, Command, Event extends DomainEvent>(
  decider: Decider<State, Command, Event>,
  history: readonly Event[],
): State {
  return history.reduce((state, event) => decider.evolve(state, event), decider.initial);
}
