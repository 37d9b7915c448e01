import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

import {
  MountElsewhere,
  MountIsGone,
  MountNotOpen,
  PartitionUnreadable,
  UnknownMount,
  UnknownPartition,
} from '#domain/restore/mount.errors';
import type { GuestPlace } from '#platform/filesystems/guest-files.port';
import { Instances } from '#platform/instances/instances';
import { MountRow } from '#projections/restore/mount.entity';

/** Finds the partition that somebody wants to read. */
@Injectable()
export class OpenPartition {
  constructor(
    private readonly rows: DataSource,
    private readonly instances: Instances,
  ) {}

  /**
   * The partition with this number, or the first one that could be opened. Throws UnknownMount, MountIsGone, MountNotOpen,
   * MountElsewhere, UnknownPartition or PartitionUnreadable.
   */
  async of(mountId: string, number: number | undefined): Promise<GuestPlace> {
    const row = await this.rows.getRepository(MountRow).findOneBy({ mountId });
    if (row === null) throw new UnknownMount(mountId);
    if (row.status === 'unmounted' || row.status === 'failed') throw new MountIsGone(mountId);
    if (row.status !== 'mounted') throw new MountNotOpen(mountId, row.status);
    const home = await this.instances.elsewhere('restoremount', mountId);
    if (home !== null) throw new MountElsewhere(mountId, home);
    const partition = row.partitions.find((candidate) =>
      number === undefined ? candidate.state === 'mounted' : candidate.number === number,
    );
    if (partition === undefined) {
      throw new UnknownPartition(
        number ?? 0,
        row.partitions.map((one) => one.number),
      );
    }
    if (partition.state === 'unreadable') throw new PartitionUnreadable(partition.number, partition.reason);
    return { mountId, partition: partition.number };
  }
}
