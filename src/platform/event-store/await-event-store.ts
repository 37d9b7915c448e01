import { type Patience, patiently } from '#platform/start/patience';

import { EventStoreAway, type OpenEventStore } from './event-store.port.js';

/** Opens the log, and waits while it is away. Throws Unavailable when it stays away, and what `start` throws while it answers. */
export async function awaitEventStore(where: string, store: OpenEventStore, patience: Patience): Promise<void> {
  const start = async () => {
    // Asked first, because it says so soon: who reads waits for longer than is fit between two words to a person.
    if (!(await store.answers())) throw new EventStoreAway(new Error(`${where} does not answer`));
    await store.start();
  };
  const isAway = async (error: unknown) => error instanceof EventStoreAway || !(await store.answers());
  await patiently(where, start, isAway, patience);
}
