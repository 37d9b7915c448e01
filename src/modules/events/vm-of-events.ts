import { Injectable } from '@nestjs/common';

import type { StoredEvent } from '#domain/kernel/event';
import { EventStore } from '#platform/event-store/event-store.port';

const MAX_STREAMS = 20_000;

/**
 * Tells which VM an event is about. Most say so themselves; of the others it is the first event of their stream that does, and
 * that never changes. So the log alone is asked, and no projection that may be behind.
 */
@Injectable()
export class VmOfEvents {
  private readonly ofStream = new Map<string, string | null>();

  constructor(private readonly store: EventStore) {}

  /** Whether an event is about a VM. */
  async isAbout(event: StoredEvent, contextId: string): Promise<boolean> {
    return (vmIn(event.data) ?? (await this.vmOf(event.stream))) === contextId;
  }

  private async vmOf(stream: string): Promise<string | null> {
    const known = this.ofStream.get(stream);
    if (known !== undefined) return known;
    let found: string | null = null;
    for await (const first of this.store.readStream(stream, { limit: 1 })) found = vmIn(first.data);
    const [oldest] = this.ofStream.keys();
    if (this.ofStream.size >= MAX_STREAMS && oldest !== undefined) this.ofStream.delete(oldest);
    this.ofStream.set(stream, found);
    return found;
  }
}

/** What a saga was given is inside its input; what a reservation of a VM creates bears the reservation's id. */
function vmIn(data: unknown): string | null {
  const { contextId, creates, by, data: input } = data as Record<string, unknown>;
  if (typeof contextId === 'string') return contextId;
  if ((creates as { category?: unknown } | undefined)?.category === 'context' && typeof by === 'string') return by;
  return typeof input === 'object' && input !== null ? vmIn(input) : null;
}
