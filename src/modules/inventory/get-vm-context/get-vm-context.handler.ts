import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { Views } from '#platform/database/views';
import type { Shown } from '#platform/http/etag';
import { VmDirectory } from '#projections/inventory/vm.directory';

import { type VmDetailsResponse, vmDetailsResponse } from '../vm-context.response.js';

/** One VM, named by `ref` in any way, or by its context id alone. */
export class GetVmContext extends Query<Shown<VmDetailsResponse>> {
  constructor(
    readonly ref: string,
    readonly by: 'any' | 'context-id',
  ) {
    super();
  }
}

@QueryHandler(GetVmContext)
export class GetVmContextHandler implements IQueryHandler<GetVmContext> {
  private readonly directory: VmDirectory;

  constructor(views: Views) {
    this.directory = new VmDirectory(views);
  }

  async execute({ ref, by }: GetVmContext): Promise<Shown<VmDetailsResponse>> {
    const row = await (by === 'any' ? this.directory.resolve(ref) : this.directory.byId(ref));
    return { body: vmDetailsResponse(row), revision: row.revision };
  }
}
