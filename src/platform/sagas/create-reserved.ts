import type { CommandContext } from '#domain/kernel/command-context';
import type { Decider } from '#domain/kernel/decider';
import type { DomainEvent } from '#domain/kernel/event';
import { REGISTRATION, type Reserved } from '#domain/kernel/reservation';
import type { Aggregates } from '#platform/event-store/aggregates';

import { effectIdOf } from './saga-log.js';

/**
 * Creates what was reserved without waiting for the register saga to get round to it, which it needs a dozen questions to the database
 * for. Under the id of the saga's step: whichever of the two comes second finds it done. What fails here is the saga's to do, and to
 * report.
 */
export function createReserved<State, Command, Event extends DomainEvent>(
  aggregates: Aggregates,
  decider: Decider<State, Command, Event>,
  { by, creates }: Pick<Reserved['data'], 'by' | 'creates'>,
  { actor, correlationId, causationId }: CommandContext,
): void {
  const commandId = effectIdOf(`${REGISTRATION.saga}-${by}`, REGISTRATION.step);
  aggregates
    .handle({
      decider,
      stream: `${creates.category}-${by}`,
      command: creates.command as Command,
      context: { actor, correlationId, causationId, commandId },
      begins: true,
    })
    .catch(() => undefined);
}
