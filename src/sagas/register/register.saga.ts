import { REGISTRATION, type Reserved } from '#domain/kernel/reservation';
import { sequence } from '#domain/kernel/sequence';

import { commandEffect } from '../command-effect.js';

interface Registration {
  readonly category: string;
  readonly id: string;
  readonly command: Reserved['data']['creates']['command'];
}

/** Creates what a reservation was made for, unless whoever made it has done so by then. */
export const registerSaga = sequence<Registration>({
  name: REGISTRATION.saga,
  version: 1,
  listensTo: ['Reserved', 'RepositoryPlaceReserved'],
  correlate: (event) => ({ id: (event.data as Reserved['data']).by, starts: true }),
  start: (_type, data) => {
    const { by, creates } = data as unknown as Reserved['data'];
    return { category: creates.category, id: by, command: creates.command };
  },
  stop: () => null,
  groups: (start) => [
    [
      {
        effect: commandEffect(REGISTRATION.step, 'Create what was reserved', start.category, start.id, start.command),
      },
    ],
  ],
  conclude: () => [],
});
