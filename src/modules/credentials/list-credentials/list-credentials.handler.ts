import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { CredentialRow } from '#projections/credential/credential.entity';

import { type CredentialResponse, credentialResponse } from '../credential.response.js';
import { CredentialUseRow } from '../credential-use.entity.js';

/** All of them, the inactive ones too, in the order in which they were made. */
export class ListCredentials extends Query<readonly CredentialResponse[]> {}

@QueryHandler(ListCredentials)
export class ListCredentialsHandler implements IQueryHandler<ListCredentials> {
  constructor(private readonly rows: DataSource) {}

  async execute(): Promise<readonly CredentialResponse[]> {
    const [credentials, uses] = await Promise.all([
      this.rows.getRepository(CredentialRow).find({ order: { credentialId: 'ASC' } }),
      this.rows.getRepository(CredentialUseRow).find(),
    ]);
    const useOf = new Map(uses.map((use) => [use.credentialId, use]));
    return credentials.map((row) => credentialResponse(row, useOf.get(row.credentialId)));
  }
}
