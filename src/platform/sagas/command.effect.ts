import type { Decider } from '#domain/kernel/decider';
import { DomainError } from '#domain/kernel/domain-error';
import type { DomainEvent, JsonObject } from '#domain/kernel/event';
import type { Aggregates } from '#platform/event-store/aggregates';

import { type EffectContext, EffectError, type EffectExecutor, type Observation } from './effect.port.js';

/** A decider whose commands arrive as JSON that a saga of ours wrote. */
export type AnyDecider = Decider<unknown, unknown, DomainEvent>;

export interface CommandArgs extends JsonObject {
  readonly category: string;
  readonly id: string;
  readonly command: JsonObject;
  /** The event whose data the saga wants to know. */
  readonly tells?: string;
}

/**
 * Carries a saga's command to the domain. The effect's id is the command's id: a repeat finds the facts of the first time
 * in the stream and adds nothing. A refusal is final, but for one of kind `unavailable`; its words are the failure's.
 */
export class CommandEffect implements EffectExecutor<CommandArgs> {
  readonly kind = 'command';
  readonly reach = 'anywhere';

  constructor(
    private readonly aggregates: Aggregates,
    /** The decider of each stream category. */
    private readonly deciders: Readonly<Record<string, AnyDecider>>,
  ) {}

  /** The stream itself remembers whether the command was carried out, so there is nothing to look at before. */
  observe(): Promise<Observation> {
    return Promise.resolve({ state: 'absent' });
  }

  async execute(args: CommandArgs, context: EffectContext): Promise<JsonObject> {
    const decider = this.deciders[args.category];
    if (decider === undefined) throw new Error(`no decider for streams of category ${args.category}`);
    try {
      const { events } = await this.aggregates.handle({
        decider,
        stream: `${args.category}-${args.id}`,
        command: args.command,
        context: {
          actor: { kind: 'saga', id: context.saga },
          correlationId: context.correlationId,
          causationId: context.requestedEventId,
          commandId: context.effectId,
        },
      });
      return (events.find(({ type }) => type === args.tells)?.data ?? {}) as JsonObject;
    } catch (error) {
      if (error instanceof DomainError) {
        const { code, message, remedy } = error;
        const failure = { code, message, ...(remedy !== undefined && { remedy }) };
        // What isn't there yet may come; the effect's own rule says for how long it is asked for.
        throw new EffectError(error.kind === 'unavailable' ? 'transient' : 'permanent', failure, { cause: error });
      }
      throw error;
    }
  }
}
