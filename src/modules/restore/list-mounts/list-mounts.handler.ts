import { Injectable } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, In } from 'typeorm';

import { UnknownMount } from '#domain/restore/mount.errors';
import { Clock } from '#platform/clock/clock.port';
import { RestoreAccess } from '#platform/filesystems/restore-access';
import { MountRow } from '#projections/restore/mount.entity';

import { type MountResponse, mountResponse } from '../mount.response.js';

/** The mounts that are open, being opened or being closed, newest first. */
export class ListMounts extends Query<readonly MountResponse[]> {}

/** One mount, whatever its state. */
export class GetMount extends Query<MountResponse> {
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
    private readonly rows: DataSource,
    private readonly shown: ShownMounts,
  ) {}

  async execute(): Promise<readonly MountResponse[]> {
    const found = await this.rows.getRepository(MountRow).find({
      where: { status: In(['mounting', 'mounted', 'unmounting']) },
      order: { createdAt: 'DESC', mountId: 'DESC' },
    });
    return Promise.all(found.map((row) => this.shown.of(row)));
  }
}

@QueryHandler(GetMount)
export class GetMountHandler implements IQueryHandler<GetMount> {
  constructor(
    private readonly rows: DataSource,
    private readonly shown: ShownMounts,
  ) {}

  async execute({ mountId }: GetMount): Promise<MountResponse> {
    const row = await this.rows.getRepository(MountRow).findOneBy({ mountId });
    if (row === null) throw new UnknownMount(mountId);
    return this.shown.of(row);
  }
}
