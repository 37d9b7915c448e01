import { type Patience, patiently } from '#platform/start/patience';

import type { OpenEventStore } from './event-store.port.js';

/** Opens the log, and waits while it is away. Throws Unavailable when it stays away, and what `start` throws while it answers. */
export async function awaitEventStore(store: OpenEventStore, patience: Patience): Promise<void> {
  await patiently(
    'the event store',
    () => store.start(),
    async () => !(await store.answers()),
    patience,
  );
}
