import type { StoredEvent } from '#domain/kernel/event';
import type { Projection } from '#domain/kernel/projection';
import type { SagaEvent } from '#domain/kernel/saga';

import { splitStream } from './saga-log.js';

/** How many sagas of a kind began, or ended in one way. */
export type SagaTallyRow = {
  /** `<saga>/<what>`. */
  tally: string;
  saga: string;
  /** `begun`, or the outcome with which they ended. */
  what: string;
  sagas: number;
};

/** Counts the sagas, so that nobody has to look at each of them to know how many there are. */
export const sagaTallyProjection: Projection<SagaTallyRow> = {
  name: 'saga_tally',
  version: 1,
  table: { key: 'tally', columns: { tally: 'text', saga: 'text', what: 'text', sagas: 'bigint' } },
  handles: ['SagaInputReceived', 'SagaEnded'],
  // Numbers that somebody fetches every few seconds.
  restMs: 250,
  keysOf: (stored) => {
    const what = counted(stored);
    return what === null ? [] : [`${splitStream(stored.stream).category}/${what}`];
  },
  evolve: (row, stored, tally) => ({
    tally,
    saga: splitStream(stored.stream).category,
    what: counted(stored) ?? '',
    sagas: (row?.sagas ?? 0) + 1,
  }),
};

/** A saga begins with the first event of its stream, which is an input, and ends once. */
function counted(stored: StoredEvent): string | null {
  const event = stored as unknown as SagaEvent;
  if (event.type === 'SagaEnded') return event.data.outcome;
  return stored.revision === 0n ? 'begun' : null;
}
