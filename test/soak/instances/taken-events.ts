import type { Position, StoredEvent } from '#domain/kernel/event';

/** An event that a saga has to hear of. */
interface Wanted {
  readonly event: StoredEvent;
  readonly stream: string;
  readonly starts: boolean;
}

/** What a saga took, where it stands in the saga's stream, and where what it was stands in the log. */
interface Taken {
  readonly at: Position;
  readonly from: Position;
}

/**
 * Which events the sagas took, and in what order. A feed offers one event after another: when a later one stands in a saga's
 * stream, every earlier one does by then, unless its saga had ended. So a feed that leaves one out is seen although another
 * instance makes up for it.
 */
export class TakenEvents {
  private readonly concerns: Wanted[] = [];
  private readonly positions = new Map<string, Position>();
  /** By the saga's stream and the event's id. */
  private readonly taken = new Map<string, Taken>();
  private readonly begun = new Set<string>();
  private readonly ended = new Map<string, Position>();

  /** Each event of the log, in its order. */
  see(event: StoredEvent): void {
    this.positions.set(event.id, event.position);
    if (event.type === 'SagaEnded') this.ended.set(event.stream, event.position);
    if (event.type !== 'SagaInputReceived') return;
    this.begun.add(event.stream);
    const { eventId } = event.data as { eventId: string };
    this.taken.set(`${event.stream} ${eventId}`, { at: event.position, from: this.positions.get(eventId) ?? '' });
  }

  want(event: StoredEvent, stream: string, starts: boolean): void {
    this.concerns.push({ event, stream, starts });
  }

  get wanted(): number {
    return this.concerns.length;
  }

  notBegun(): readonly string[] {
    return this.concerns.flatMap(({ stream, starts }) => (starts && !this.begun.has(stream) ? [stream] : []));
  }

  passedBy(): readonly string[] {
    const takenLast = [...this.taken.values()].sort((a, b) => (a.from < b.from ? -1 : 1));
    let firstLater: Position | null = null;
    const wrong: string[] = [];
    for (const { event, stream } of [...this.concerns].reverse()) {
      for (let last = takenLast.at(-1); last !== undefined && last.from > event.position; last = takenLast.at(-1)) {
        if (firstLater === null || last.at < firstLater) firstLater = last.at;
        takenLast.pop();
      }
      const over = this.taken.get(`${stream} ${event.id}`)?.at ?? this.ended.get(stream);
      const isLate = over === undefined ? this.begun.has(stream) : firstLater !== null && over > firstLater;
      if (isLate) wrong.push(`${event.type} for ${stream}`);
    }
    return wrong;
  }
}
