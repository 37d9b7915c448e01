import type { EventStore } from '#platform/event-store/event-store.port';

import { all, anEvent } from '../events.js';

/** One rule of the port, as a sentence and a way to find out; throws when the store doesn't keep it. The store is empty. */
export interface Check {
  readonly name: string;
  readonly run: (store: EventStore) => Promise<void>;
}

export function check(name: string, run: Check['run']): Check {
  return { name, run };
}

/** One check per case; the name is made from the case. */
export function checks<Case>(
  cases: readonly Case[],
  name: (one: Case) => string,
  run: (store: EventStore, one: Case) => Promise<void>,
): readonly Check[] {
  return cases.map((one) => check(name(one), (store) => run(store, one)));
}

/** Events that tell their order. */
export function several(count: number) {
  return Array.from({ length: count }, (_, index) => anEvent('Happened', { index }));
}

export async function indexes(events: ReturnType<EventStore['readStream']>): Promise<readonly number[]> {
  return (await all(events)).map((event) => (event.data as { index: number }).index);
}
