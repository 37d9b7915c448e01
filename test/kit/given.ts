import { expect } from '@jest/globals';

import { type Decider, replay } from '#domain/kernel/decider';
import type { DomainError } from '#domain/kernel/domain-error';
import type { DomainEvent } from '#domain/kernel/event';

type Refusal = abstract new (...args: never[]) => DomainError;

/** A decider's rule as a sentence: `given(decider, history).when(command).then(events)`, or `.then(Refusal)`. */
export function given<State, Command, Event extends DomainEvent>(
  decider: Decider<State, Command, Event>,
  history: readonly Event[] = [],
): { when: (command: Command) => { then: (expected: readonly Event[] | Refusal) => void } } {
  return {
    when: (command) => ({
      then: (expected) => {
        const decide = () => decider.decide(command, replay(decider, history));
        if (typeof expected === 'function') expect(decide).toThrow(expected);
        else expect(decide()).toEqual(expected);
      },
    }),
  };
}
