import { Injectable } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { UnknownMount } from '#domain/restore/mount.errors';
import { Clock } from '#platform/clock/clock.port';
import { Filter, Views } from '#platform/database/views';
import { RestoreAccess } from '#platform/filesystems/restore-access';
import type { Shown } from '#platform/http/etag';
import { List, type PageRequest } from '#platform/http/paging';
import { MountRow } from '#projections/restore/mount.entity';

import { type MountResponse, mountResponse } from '../mount.response.js';

type Page = { readonly mounts: readonly MountResponse[]; readonly count: number; readonly next_cursor: string | null };

/** The mounts that are open, being opened or being closed, newest first; `count` counts all of them. */
export class ListMounts extends Query<Page> {
  constructor(readonly request: PageRequest) {
    super();
  }
}

/** One mount, whatever its state. */
export class GetMount extends Query<Shown<MountResponse>> {
  constructor(readonly mountId: string) {
    super();
  }
}

/** Shows rows of mounts with the time when they close by themselves. */
@Injectable()
export class ShownMounts {
  constructor(
    private readonly access: RestoreAccess,
    private readonly clock: Clock,
  ) {}

  async of(row: MountRow): Promise<MountResponse> {
    const idleSeconds = row.status === 'mounted' ? await this.access.idleSeconds(row.mountId) : null;
    return mountResponse(row, idleSeconds, this.clock.now());
  }
}

@QueryHandler(ListMounts)
export class ListMountsHandler implements IQueryHandler<ListMounts> {
  constructor(
    private readonly views: Views,
    private readonly shown: ShownMounts,
  ) {}

  async execute({ request }: ListMounts): Promise<Page> {
    const list = new List('mounts', request);
    const { limit } = request;
    const { found, total } = await this.views.countedPage<MountRow>({
      columns: this.views.columns(MountRow),
      view: 'mount',
      filter: new Filter().and(`one.status in ('mounting', 'mounted', 'unmounting')`),
      order: ['one.created_at', 'one.mount_id'],
      descending: true,
      after: list.after('moment', 'text'),
      limit,
    });
    const { rows, next } = list.page(found, (row) => [row.createdAt.toISOString(), row.mountId]);
    return { mounts: await Promise.all(rows.map((row) => this.shown.of(row))), count: total, next_cursor: next };
  }
}

@QueryHandler(GetMount)
export class GetMountHandler implements IQueryHandler<GetMount> {
  constructor(
    private readonly rows: DataSource,
    private readonly shown: ShownMounts,
  ) {}

  async execute({ mountId }: GetMount): Promise<Shown<MountResponse>> {
    const row = await this.rows.getRepository(MountRow).findOneBy({ mountId });
    if (row === null) throw new UnknownMount(mountId);
    return { body: await this.shown.of(row), revision: row.revision };
  }
}
