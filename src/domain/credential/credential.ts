import type { Decider } from '../kernel/decider.js';
import type { DomainEvent } from '../kernel/event.js';

/** What is known of a vCenter account. The password is in the vault, under `secretRef`. */
export type CredentialFacts = {
  readonly id: string;
  /** How the API names it; counted up, never given twice. */
  readonly credentialNumber: number;
  readonly name: string;
  readonly vcenterHost: string;
  readonly username: string;
  readonly datacenter: string;
  readonly isActive: boolean;
  /** Whether it was asked to become the default; which one is, the default's own stream says. */
  readonly isDefault: boolean;
  readonly secretRef: string;
  /** Keyed, and of this `secretRef`: whoever reads the log can neither guess a password nor see which are equal. */
  readonly fingerprint: string;
  readonly createdBy: string;
};

/** One vCenter account. Stream: `credential-<id>`. */
export type CredentialCreated = DomainEvent<'CredentialCreated', CredentialFacts>;
export type CredentialEvent = CredentialCreated;
export type CredentialCommand = { readonly type: 'CreateCredential'; readonly credential: CredentialFacts };
export type CredentialState = 'unknown' | 'created';

export const credential: Decider<CredentialState, CredentialCommand, CredentialEvent> = {
  initial: 'unknown',
  evolve: () => 'created',
  decide: (command, state) => (state === 'unknown' ? [{ type: 'CredentialCreated', data: command.credential }] : []),
};
