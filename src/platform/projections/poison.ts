import type { Position, StoredEvent } from '#domain/kernel/event';
import { isTransient } from '#platform/database/transient';

/** The checkpoint isn't where a batch begins: somebody else was here, or these rows are no longer to be moved. */
export class Moved extends Error {}

/** An event that the projection's own code can't handle. */
export class Poison extends Error {
  constructor(
    readonly event: StoredEvent,
    override readonly cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : 'the handler threw something that is no error');
  }
}

export type ApplyBatch = (events: readonly StoredEvent[], from: Position, upTo: Position) => Promise<void>;

/** Applies a batch whole; when an event of it is poison, what comes before it is applied and the poison thrown. */
export async function applyOrFindPoison(
  apply: ApplyBatch,
  events: readonly StoredEvent[],
  from: Position,
  upTo: Position,
): Promise<void> {
  try {
    await apply(events, from, upTo);
  } catch (error) {
    if (error instanceof Moved || isTransient(error)) throw error;
    const [only] = events;
    if (events.length <= 1) {
      if (only === undefined) throw error;
      throw new Poison(only, error);
    }
    const half = events.slice(0, Math.ceil(events.length / 2));
    const border = half.at(-1)?.position ?? from;
    await applyOrFindPoison(apply, half, from, border);
    await applyOrFindPoison(apply, events.slice(half.length), border, upTo);
  }
}
