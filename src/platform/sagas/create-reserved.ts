import type { CommandContext } from '#domain/kernel/command-context';
import type { Decider } from '#domain/kernel/decider';
import type { DomainEvent } from '#domain/kernel/event';
import { REGISTRATION, type Reserved } from '#domain/kernel/reservation';
import type { Aggregates } from '#platform/event-store/aggregates';

import { effectIdOf } from './saga-log.js';

/** What a reservation led to, as its command's answer has it. */
interface Reservation {
  readonly id: string;
  readonly data: Pick<Reserved['data'], 'by'> & Partial<Reserved['data']>;
}

/**
 * Creates what was just reserved for `by`, instead of waiting for the register saga: under the id of the saga's step, so that the
 * saga, which comes later or at the same time, decides nothing more. What was reserved before, by this command or by others, and
 * what fails here, is left to it.
 */
export function createReserved<State, Command, Event extends DomainEvent>(
  aggregates: Aggregates,
  decider: Decider<State, Command, Event>,
  [reserved]: readonly Reservation[],
  by: string,
  { actor, correlationId, reason }: CommandContext,
): void {
  const creates = reserved?.data.creates;
  if (reserved?.data.by !== by || creates === undefined) return;
  const commandId = effectIdOf(`${REGISTRATION.saga}-${by}`, REGISTRATION.step);
  aggregates
    .handle({
      decider,
      stream: `${creates.category}-${by}`,
      command: creates.command as Command,
      context: { actor, correlationId, causationId: reserved.id, commandId, ...(reason !== undefined && { reason }) },
      begins: true,
    })
    .catch(() => undefined);
}
