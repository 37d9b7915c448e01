import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

import {
  MountIsGone,
  MountNotOpen,
  PartitionUnreadable,
  UnknownMount,
  UnknownPartition,
} from '#domain/restore/mount.errors';
import type { GuestPlace } from '#platform/filesystems/guest-files.port';
import { MountRow } from '#projections/restore/mount.entity';

/** Finds the partition that somebody wants to read. */
@Injectable()
export class OpenPartition {
  constructor(private readonly rows: DataSource) {}

  /**
   * The partition with this number, or the first one that could be opened. Throws UnknownMount, MountIsGone, MountNotOpen,
   * UnknownPartition or PartitionUnreadable.
   */
  async of(mountId: string, number: number | undefined): Promise<GuestPlace> {
    const row = await this.rows.getRepository(MountRow).findOneBy({ mountId });
    if (row === null) throw new UnknownMount(mountId);
    if (row.status === 'unmounted' || row.status === 'failed') throw new MountIsGone(mountId);
    if (row.status !== 'mounted') throw new MountNotOpen(mountId, row.status);
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
