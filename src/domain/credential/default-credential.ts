import type { Decider } from '../kernel/decider.js';
import type { DomainEvent } from '../kernel/event.js';

/** Which credential is used when none is named: one stream, so never two. Stream: `defaultcredential-vmware`. */
export type DefaultCredentialChosen = DomainEvent<
  'DefaultCredentialChosen',
  { readonly id: string; readonly previousId: string | null }
>;
export type DefaultCredentialEvent = DefaultCredentialChosen;

/** With `onlyIfNone` a default that exists stays. */
export type DefaultCredentialCommand = {
  readonly type: 'ChooseDefault';
  readonly id: string;
  readonly onlyIfNone: boolean;
};
export type DefaultCredentialState = { readonly chosenId: string | null };

export const defaultCredential: Decider<DefaultCredentialState, DefaultCredentialCommand, DefaultCredentialEvent> = {
  initial: { chosenId: null },
  evolve: (_state, event) => ({ chosenId: event.data.id }),
  decide: ({ id, onlyIfNone }, { chosenId }) => {
    if (chosenId === id || (chosenId !== null && onlyIfNone)) return [];
    return [{ type: 'DefaultCredentialChosen', data: { id, previousId: chosenId } }];
  },
};
