import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { VmContextRow } from '#projections/inventory/vm-context.entity';

export class ListVmContexts extends Query<readonly VmContextRow[]> {}

@QueryHandler(ListVmContexts)
export class ListVmContextsHandler implements IQueryHandler<ListVmContexts> {
  constructor(private readonly rows: DataSource) {}

  async execute(): Promise<readonly VmContextRow[]> {
    return this.rows.getRepository(VmContextRow).find({ order: { vmName: 'ASC', contextId: 'ASC' } });
  }
}
