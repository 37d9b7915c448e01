import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { type PageRequest, pageOf, readCursor } from '#platform/http/paging';
import { VmContextRow } from '#projections/inventory/vm-context.entity';

import { type VmContextResponse, vmContextResponse } from '../vm-context.response.js';

type Page = {
  readonly vm_contexts: readonly VmContextResponse[];
  readonly count: number;
  readonly next_cursor: string | null;
};

/** By name; `count` counts all of them. */
export class ListVmContexts extends Query<Page> {
  constructor(readonly request: PageRequest) {
    super();
  }
}

@QueryHandler(ListVmContexts)
export class ListVmContextsHandler implements IQueryHandler<ListVmContexts> {
  constructor(private readonly rows: DataSource) {}

  async execute({ request: { limit, cursor } }: ListVmContexts): Promise<Page> {
    const after = readCursor(cursor, 'text', 'text');
    const select = this.rows.getRepository(VmContextRow).createQueryBuilder('one');
    const count = await select.getCount();
    if (after !== null) select.where('(one.vm_name, one.context_id) > (:name, :id)', { name: after[0], id: after[1] });
    const found = await select
      .orderBy('one.vmName')
      .addOrderBy('one.contextId')
      .limit(limit + 1)
      .getMany();
    const { rows, next } = pageOf(found, limit, (row) => [row.vmName, row.contextId]);
    return { vm_contexts: rows.map(vmContextResponse), count, next_cursor: next };
  }
}
