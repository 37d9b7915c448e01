import type { CredentialCreated } from '#domain/credential/credential';
import { sequence } from '#domain/kernel/sequence';

import { commandEffect } from '../command-effect.js';

/** Makes a new credential the default, when that was asked for or there is none yet. */
export const chooseDefaultSaga = sequence<CredentialCreated['data']>({
  name: 'choosedefault',
  version: 1,
  listensTo: ['CredentialCreated'],
  correlate: (event) => {
    const { id, isActive } = event.data as CredentialCreated['data'];
    return isActive ? { id, starts: true } : null;
  },
  start: (_type, data) => data as CredentialCreated['data'],
  stop: () => null,
  groups: ({ id, isDefault }) => [
    [
      {
        effect: commandEffect('choose', 'Choose the default credential', 'defaultcredential', 'vmware', {
          type: 'ChooseDefault',
          id,
          onlyIfNone: !isDefault,
        }),
      },
    ],
  ],
  conclude: () => [],
});
