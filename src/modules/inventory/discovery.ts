import { Injectable } from '@nestjs/common';

import { Agents } from '#platform/vma/agents';
import type { FoundVm } from '#platform/vma/vma-client.port';
import { VcenterCredentials } from '#platform/vma/vcenter-credentials.port';

/** A stored account, or one that is lent for this call and kept nowhere. */
export type Account =
  | { readonly credentialId: number }
  | {
      readonly vcenterHost: string;
      readonly username: string;
      readonly password: string;
      readonly datacenter: string;
    };

/** The VMs of one datacenter, and with which account they were found. */
export interface Discovered {
  readonly vcenterHost: string;
  readonly datacenter: string;
  readonly credentialId: number | null;
  readonly vms: readonly FoundVm[];
}

/** Asks a vCenter, through the agent, which VMs it has. */
@Injectable()
export class Discovery {
  constructor(
    private readonly credentials: VcenterCredentials,
    private readonly agents: Agents,
  ) {}

  /** Throws UnknownCredential, CredentialInactive, or the agent's refusals. */
  async run(account: Account, filter: string | null): Promise<Discovered> {
    const credentialId = 'credentialId' in account ? account.credentialId : null;
    const opened = 'credentialId' in account ? await this.credentials.open(account.credentialId) : account;
    const { vcenterHost, username, password, datacenter } = opened;
    const vms = await this.agents
      .beside(vcenterHost)
      .client.discover({ vcenterHost, username, password, datacenter }, filter);
    return { vcenterHost, datacenter, credentialId, vms };
  }
}
