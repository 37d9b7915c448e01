import type { VcenterAccount } from './vma-client.port.js';

/** Stored vCenter accounts with their passwords. */
export abstract class VcenterCredentials {
  /** Throws UnknownCredential or CredentialInactive. */
  abstract open(credentialId: number): Promise<VcenterAccount>;
}
