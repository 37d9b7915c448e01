import { setTimeout as pause } from 'node:timers/promises';

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

/** Of what the log has just taken the next event is there at once, or the log is away: then nobody should wait for it here. */
const WITHIN_MS = 500;

/**
 * Creates what was just reserved for `by`, instead of waiting for the register saga: under the id of the saga's step, so that the
 * saga, which comes later or at the same time, decides nothing more. What was reserved before, by this command or by others, and
 * what fails here, is left to it. Answers within a moment whether the context's witness has heard of what was created; never rejects.
 */
export async function createReserved<State, Command, Event extends DomainEvent>(
  aggregates: Aggregates,
  decider: Decider<State, Command, Event>,
  [reserved]: readonly Reservation[],
  by: string,
  { actor, correlationId, reason, witness }: CommandContext,
): Promise<boolean> {
  const { creates, by: holder } = reserved?.data ?? {};
  if (reserved === undefined || creates === undefined) return false;
  const stream = `${creates.category}-${holder}`;
  const context: CommandContext = {
    ...{ actor, correlationId, causationId: reserved.id },
    commandId: effectIdOf(`${REGISTRATION.saga}-${holder}`, REGISTRATION.step),
    ...(reason !== undefined && { reason }),
    ...(witness !== undefined && { witness }),
  };
  const creating =
    holder === by
      ? aggregates.handle({ decider, stream, command: creates.command as Command, context, begins: true })
      : aggregates.earlier(stream, context);
  const heard = creating.then((decided) => decided !== null).catch(() => false);
  return Promise.race([heard, pause(WITHIN_MS, false, { ref: false })]);
}
