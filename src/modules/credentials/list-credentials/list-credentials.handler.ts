import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, In } from 'typeorm';

import { type PageRequest, pageOf, readCursor } from '#platform/http/paging';
import { CredentialRow } from '#projections/credential/credential.entity';

import { type CredentialResponse, credentialResponse } from '../credential.response.js';
import { CredentialUseRow } from '../credential-use.entity.js';

type Page = {
  readonly credentials: readonly CredentialResponse[];
  readonly count: number;
  readonly next_cursor: string | null;
};

/** The inactive ones too, in the order in which they were made; `count` counts all of them. */
export class ListCredentials extends Query<Page> {
  constructor(readonly request: PageRequest) {
    super();
  }
}

@QueryHandler(ListCredentials)
export class ListCredentialsHandler implements IQueryHandler<ListCredentials> {
  constructor(private readonly rows: DataSource) {}

  async execute({ request: { limit, cursor } }: ListCredentials): Promise<Page> {
    const after = readCursor(cursor, 'number');
    const select = this.rows.getRepository(CredentialRow).createQueryBuilder('one');
    const count = await select.getCount();
    if (after !== null) select.where('one.credential_id > :number', { number: Number(after[0]) });
    const found = await select
      .orderBy('one.credentialId')
      .limit(limit + 1)
      .getMany();
    const { rows, next } = pageOf(found, limit, (row) => [String(row.credentialId)]);
    const uses = await this.rows
      .getRepository(CredentialUseRow)
      .findBy({ credentialId: In(rows.map((row) => row.credentialId)) });
    const useOf = new Map(uses.map((use) => [use.credentialId, use]));
    const credentials = rows.map((row) => credentialResponse(row, useOf.get(row.credentialId)));
    return { credentials, count, next_cursor: next };
  }
}
