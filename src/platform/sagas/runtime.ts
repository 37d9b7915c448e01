import type { EventMetadata, JsonObject, NewEvent, StoredEvent } from '#domain/kernel/event';
import type { Saga, SagaEvent, SagaInput } from '#domain/kernel/saga';
import { EventIdReused, type EventStore, WrongExpectedRevision } from '#platform/event-store/event-store.port';
import { idFor } from '#platform/ids/ids';

import { collect, eventsOf, isWanted, readBook, splitStream } from './saga-log.js';

/** Two writers of one saga's stream (runtime and workers) are the rule, a hundred of them aren't. */
const MAX_CONFLICTS = 100;

/** Any saga, whatever its state; the runtime passes states through without looking into them. */
export type AnySaga = Saga<unknown>;

/** What an input adds to the facts it carries. */
export interface Delivery {
  readonly input: SagaInput;
  /** Deterministic, so that the same input delivered twice is one event. */
  readonly eventId: string;
  /** What led to it; the correlation of the saga is kept. */
  readonly causationId: string;
}

/**
 * The only writer of sagas' decisions. An input and everything decided because of it are one append at the exact
 * revision: after a crash either all of it happened or none. Inputs may be delivered any number of times.
 */
export class SagaRuntime {
  private readonly sagas: ReadonlyMap<string, AnySaga>;

  constructor(
    private readonly store: EventStore,
    sagas: readonly AnySaga[],
  ) {
    this.sagas = new Map(sagas.map((saga) => [saga.name, saga]));
  }

  /** Types of domain events that some saga listens to. */
  get listensTo(): readonly string[] {
    return [...new Set([...this.sagas.values()].flatMap((saga) => saga.listensTo))];
  }

  /** Offers a domain event to every saga. */
  async offer(event: StoredEvent): Promise<void> {
    for (const saga of this.sagas.values()) {
      const concern = saga.listensTo.includes(event.type) ? saga.correlate(event) : null;
      if (concern === null) continue;
      const stream = `${saga.name}-${concern.id}`;
      const data = { eventId: event.id, type: event.type, data: event.data as JsonObject };
      const eventId = idFor('input', stream, event.id);
      const delivery: Delivery = { input: { type: 'SagaInputReceived', data }, eventId, causationId: event.id };
      await this.advance(saga, stream, delivery, concern.starts ? event.metadata : null);
    }
  }

  /** Delivers an outcome, an ended watch or a fired timer to the saga that owns `stream`. */
  async deliver(stream: string, delivery: Delivery): Promise<void> {
    const saga = this.sagas.get(splitStream(stream).category);
    if (saga === undefined) throw new Error(`no saga owns the stream ${stream}`);
    await this.advance(saga, stream, delivery, null);
  }

  private async advance(
    saga: AnySaga,
    stream: string,
    delivery: Delivery,
    starter: EventMetadata | null,
  ): Promise<void> {
    for (let conflicts = 0; ; conflicts += 1) {
      const history = await collect(this.store.readStream(stream));
      const events = this.decide(saga, stream, history, delivery, starter);
      if (events.length === 0) return;
      const last = history.at(-1);
      try {
        await this.store.append(stream, last === undefined ? 'no-stream' : last.revision, events);
        return;
      } catch (error) {
        // The same input may have been taken by somebody else at another place: the next round sees that it has nothing to say.
        const overtaken = error instanceof WrongExpectedRevision || error instanceof EventIdReused;
        if (!overtaken || conflicts >= MAX_CONFLICTS) throw error;
      }
    }
  }

  /** The input and what follows from it, or nothing when it has nothing (more) to say. */
  private decide(
    saga: AnySaga,
    stream: string,
    history: readonly StoredEvent[],
    delivery: Delivery,
    starter: EventMetadata | null,
  ): readonly NewEvent[] {
    const { input, eventId, causationId } = delivery;
    const first = history[0]?.metadata ?? starter;
    if (first === null || history.some((event) => event.id === eventId)) return [];
    if (!isWanted(input, readBook(history))) return [];
    const own = {
      actor: { kind: 'saga', id: saga.name },
      correlationId: first.correlationId,
      ...(first.instance !== undefined && { instance: first.instance }),
      schemaVersion: 1,
    } as const;
    const state = [...history, input].reduce(
      (folded, event) => saga.evolve(folded, event as SagaEvent),
      saga.initial(),
    );
    const decisions = saga.react(state, input);
    const data = history.length === 0 ? { ...input.data, planned: saga.planned(state) } : input.data;
    const inputEvent = { id: eventId, type: input.type, data, metadata: { ...own, causationId } };
    const book = readBook([...history, input]);
    return [inputEvent, ...eventsOf(stream, decisions, book, { ...own, causationId: eventId })];
  }
}
