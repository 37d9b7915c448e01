import { EventStore } from '#platform/event-store/event-store.port';

/** A store that passes everything on to another; a fault overrides what it breaks. */
export class Passing extends EventStore {
  constructor(protected readonly inner: EventStore) {
    super();
  }
  append(...call: Parameters<EventStore['append']>) {
    return this.inner.append(...call);
  }
  readStream(...call: Parameters<EventStore['readStream']>) {
    return this.inner.readStream(...call);
  }
  readAll(...call: Parameters<EventStore['readAll']>) {
    return this.inner.readAll(...call);
  }
  subscribe(...call: Parameters<EventStore['subscribe']>) {
    return this.inner.subscribe(...call);
  }
  head() {
    return this.inner.head();
  }
  reaches(...call: Parameters<EventStore['reaches']>) {
    return this.inner.reaches(...call);
  }
}

export async function* mapped<Item>(
  items: AsyncIterable<Item>,
  change: (item: Item) => Item | null,
): AsyncIterable<Item> {
  for await (const item of items) {
    const changed = change(item);
    if (changed !== null) yield changed;
  }
}
