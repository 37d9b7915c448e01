import type { CommandContext, Precondition } from '#domain/kernel/command-context';
import { type Decider, replay } from '#domain/kernel/decider';
import type { DomainEvent, EventMetadata, NewEvent, Position, StoredEvent } from '#domain/kernel/event';
import { idFor } from '#platform/ids/ids';

import { EventIdReused, type EventStore, StreamHasMoved, WrongExpectedRevision } from './event-store.port.js';

/**
 * Each round somebody else's append got in between, so the log moves on. A hundred callers on one reservation meet at most
 * a hundred winners; far beyond that something is broken, and saying so beats going round for ever.
 */
const MAX_ROUNDS = 250;

/** As the log knows it. */
type Identified<Event> = Event & { readonly id: string };

export interface Decided<Event extends DomainEvent> {
  /** Of the last event of the answer; -1n when the stream is still empty. */
  readonly revision: bigint;
  /** Read models that have passed it show what was decided. */
  readonly position: Position;
  readonly events: readonly Identified<Event>[];
}

interface Call<State, Command, Event extends DomainEvent> {
  readonly decider: Decider<State, Command, Event>;
  readonly stream: string;
  readonly command: Command;
  readonly context: CommandContext;
  /**
   * For streams that grow for as long as somebody comes and goes: how many of the first events, beside the last one, the decision needs.
   * The same command again is recognised where it was the last.
   */
  readonly needsFirst?: number;
  /**
   * For streams that the command most likely begins: they are read only when the log says that there is something in them, or when the
   * command would lead to nothing on an empty one. Not for deciders that refuse it there: that refusal may be wrong.
   */
  readonly begins?: true;
}

/**
 * Runs commands: loads the stream, folds it, decides, appends at the exact revision, and decides again on the newer
 * history when somebody was faster. A command that was carried out before (same commandId) is answered from the stream.
 * One with a precondition that the stream doesn't meet is refused with StreamHasMoved.
 */
export class Aggregates {
  constructor(
    private readonly store: EventStore,
    /** Whose id goes into the metadata of what is decided here. */
    private readonly instanceId: string | null = null,
  ) {}

  async handle<State, Command, Event extends DomainEvent>(call: Call<State, Command, Event>): Promise<Decided<Event>> {
    const decided = await this.decide(call);
    const { stream, context } = call;
    context.witness?.decided({ stream, revision: decided.revision, position: decided.position });
    return decided;
  }

  private async decide<State, Command, Event extends DomainEvent>(
    call: Call<State, Command, Event>,
  ): Promise<Decided<Event>> {
    const { stream, context } = call;
    if (call.begins === true && context.precondition === undefined) {
      const begun = await this.decideAfter([], call, false);
      // What leads to nothing where there is nothing may lead to something where there is.
      if (begun !== null && begun.events.length > 0) return begun;
    }
    for (let round = 1; ; round += 1) {
      const history = await this.needed(call);
      const earlier = history.filter((event) => event.metadata.commandId === context.commandId);
      if (earlier.length > 0) return answer<Event>(earlier);
      requireRevision(stream, history.at(-1)?.revision ?? -1n, context.precondition);
      const decided = await this.decideAfter(history, call, round >= MAX_ROUNDS);
      if (decided !== null) return decided;
    }
  }

  /** Null when somebody else was faster, unless it is the last try. */
  private async decideAfter<State, Command, Event extends DomainEvent>(
    history: readonly StoredEvent[],
    { decider, stream, command, context }: Call<State, Command, Event>,
    isLast: boolean,
  ): Promise<Decided<Event> | null> {
    const events = decider.decide(command, replay(decider, history as unknown as Event[]));
    if (events.length === 0) return { ...(await this.nothing(history)), events: [] };
    const last = history.at(-1);
    try {
      const made = events.map((event, index) => newEvent(stream, event, index, context, this.instanceId));
      const appended = await this.store.append(stream, last === undefined ? 'no-stream' : last.revision, made);
      const { revision, position } = appended;
      return { revision, position, events: made as unknown as Identified<Event>[] };
    } catch (error) {
      if (!wasOvertaken(error) || isLast) throw error;
      // The ids of these events are in use: unless it was this very command that used them, a repeat is pointless.
      if (error instanceof EventIdReused && !(await this.carriedOut(stream, context.commandId))) throw error;
      return null;
    }
  }

  /** What a command led to when it was carried out before; null when it wasn't, or led to nothing. */
  async earlier<Event extends DomainEvent>(stream: string, context: CommandContext): Promise<Decided<Event> | null> {
    const events = await this.eventsOf(stream, context.commandId);
    if (events.length === 0) return null;
    const decided = answer<Event>(events);
    context.witness?.decided({ stream, revision: decided.revision, position: decided.position });
    return decided;
  }

  private async carriedOut(stream: string, commandId: string): Promise<boolean> {
    return (await this.eventsOf(stream, commandId)).length > 0;
  }

  private async eventsOf(stream: string, commandId: string): Promise<StoredEvent[]> {
    return (await this.history(stream)).filter((event) => event.metadata.commandId === commandId);
  }

  /** The state of a stream as it is now. */
  async load<State, Command, Event extends DomainEvent>(
    decider: Decider<State, Command, Event>,
    stream: string,
  ): Promise<State> {
    return replay(decider, (await this.history(stream)) as unknown as Event[]);
  }

  private async history(stream: string): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    for await (const event of this.store.readStream(stream)) events.push(event);
    return events;
  }

  /** What a decision needs of its stream. */
  private async needed({ stream, needsFirst }: { stream: string; needsFirst?: number }): Promise<StoredEvent[]> {
    if (needsFirst === undefined) return this.history(stream);
    const events: StoredEvent[] = [];
    for await (const event of this.store.readStream(stream, { limit: needsFirst })) events.push(event);
    if (events.length < needsFirst) return events;
    for await (const last of this.store.readStream(stream, { direction: 'backward', limit: 1 }))
      if (last.revision !== events.at(-1)?.revision) events.push(last);
    return events;
  }

  private async nothing(history: readonly StoredEvent[]): Promise<{ revision: bigint; position: Position }> {
    const last = history.at(-1);
    return last === undefined
      ? { revision: -1n, position: await this.store.head() }
      : { revision: last.revision, position: last.position };
  }
}

/** Somebody else appended first, perhaps the same command in another copy. */
function wasOvertaken(error: unknown): boolean {
  return error instanceof WrongExpectedRevision || error instanceof EventIdReused;
}

function answer<Event extends DomainEvent>(earlier: readonly StoredEvent[]): Decided<Event> {
  const last = earlier.at(-1);
  if (last === undefined) throw new Error('there is no earlier answer');
  return { revision: last.revision, position: last.position, events: earlier as unknown as Identified<Event>[] };
}

function newEvent(
  stream: string,
  event: DomainEvent,
  index: number,
  context: CommandContext,
  instanceId: string | null,
): NewEvent {
  return {
    // Of what is said, too: a copy of the command that decides otherwise must not pass for this one.
    id: idFor('event', context.commandId, stream, String(index), event.type, JSON.stringify(event.data)),
    type: event.type,
    data: event.data,
    metadata: metadataOf(context, instanceId),
  };
}

function metadataOf(context: CommandContext, instanceId: string | null): EventMetadata {
  const { actor, correlationId, causationId, commandId, reason } = context;
  return {
    actor,
    correlationId,
    causationId,
    commandId,
    ...(reason !== undefined && { reason }),
    ...(instanceId !== null && { instance: instanceId }),
    schemaVersion: 1,
  };
}

function requireRevision(stream: string, actual: bigint, precondition: Precondition | undefined): void {
  if (precondition === undefined) return;
  const concerns = precondition.categories.some((category) => stream.startsWith(`${category}-`));
  if (concerns && !precondition.revisions.includes(actual)) throw new StreamHasMoved(stream, actual);
}
