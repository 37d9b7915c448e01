import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { Filter, Views } from '#platform/database/views';
import { List, type PageRequest } from '#platform/http/paging';
import { VmContextRow } from '#projections/inventory/vm-context.entity';

import { type ListedVm, type VmContextResponse, vmContextResponse } from '../vm-context.response.js';

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
  constructor(private readonly views: Views) {}

  async execute({ request }: ListVmContexts): Promise<Page> {
    const list = new List('vm-contexts', request);
    const { limit } = request;
    const { found, total } = await this.views.countedPage<ListedVm>({
      columns: this.views.columns(VmContextRow, { without: ['disks', 'networks'] }),
      view: 'vm_context',
      filter: new Filter(),
      order: ['one.vm_name', 'one.context_id'],
      after: list.after('text', 'text'),
      limit,
    });
    const { rows, next } = list.page(found, (row) => [row.vmName, row.contextId]);
    return { vm_contexts: rows.map(vmContextResponse), count: total, next_cursor: next };
  }
}
