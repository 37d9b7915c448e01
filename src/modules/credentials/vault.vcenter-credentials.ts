import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

import { CredentialInactive, UnknownCredential } from '#domain/credential/credential.errors';
import { Vault } from '#platform/secrets/vault.port';
import { VcenterCredentials } from '#platform/vma/vcenter-credentials.port';
import type { VcenterAccount } from '#platform/vma/vma-client.port';
import { CredentialRow } from '#projections/credential/credential.entity';

/** Credentials from the rows, their passwords from the vault. The only way from a credential to its password. */
@Injectable()
export class VaultVcenterCredentials extends VcenterCredentials {
  constructor(
    private readonly rows: DataSource,
    private readonly vault: Vault,
  ) {
    super();
  }

  async open(credentialId: number): Promise<VcenterAccount> {
    const row = await this.rows.getRepository(CredentialRow).findOneBy({ credentialId });
    if (row === null) throw new UnknownCredential(credentialId);
    if (!row.isActive) throw new CredentialInactive(credentialId);
    const password = await this.vault.open(row.secretRef);
    await this.count(credentialId);
    const { vcenterHost, username, datacenter } = row;
    return { vcenterHost, username, password, datacenter };
  }

  private async count(credentialId: number): Promise<void> {
    await this.rows.query(
      `insert into credential_use (credential_id, usage_count, last_used) values ($1, 1, now())
       on conflict (credential_id) do update set usage_count = credential_use.usage_count + 1, last_used = now()`,
      [credentialId],
    );
  }
}
