import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { Filter, Views } from '#platform/database/views';
import { List, type PageRequest } from '#platform/http/paging';
import { CredentialRow } from '#projections/credential/credential.entity';

import { type CredentialResponse, credentialResponse, type CredentialUse } from '../credential.response.js';
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
  constructor(private readonly views: Views) {}

  async execute({ request }: ListCredentials): Promise<Page> {
    const list = new List('credentials', request);
    const { limit } = request;
    const { found, total } = await this.views.countedPage<CredentialRow & CredentialUse>({
      columns: [
        this.views.columns(CredentialRow),
        this.views.columns(CredentialUseRow, { of: 'use', without: ['credentialId'] }),
      ].join(', '),
      view: 'credential',
      joins: 'left join credential_use use on use.credential_id = one.credential_id',
      filter: new Filter(),
      order: ['one.credential_id'],
      after: list.after('number'),
      limit,
    });
    const { rows, next } = list.page(found, (row) => [String(row.credentialId)]);
    return { credentials: rows.map((row) => credentialResponse(row, row)), count: total, next_cursor: next };
  }
}
