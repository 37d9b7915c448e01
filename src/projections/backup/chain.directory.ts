import type { DataSource } from 'typeorm';

import type { ChainHead } from '#domain/backup/disk-mode';

import { BackupRow } from './backup.entity.js';
import type { BackupDisk, Damage } from './backup.projection.js';

/** Whether a disk of a restore point can be trusted: by what was found in its own layer, or in one it stands on. */
export type Health = 'good' | 'damaged' | 'stands-on-damaged';

/** One disk of one restore point as a link of its chain. */
export interface Link {
  readonly backup: BackupRow;
  readonly disk: BackupDisk;
  /** The full backup that the chain begins with. */
  readonly fullBackupId: string;
  readonly health: Health;
  readonly damage: Damage | null;
  /** Of the file of each layer, oldest first, when it was closed. */
  readonly fileSizesBytes: readonly (number | null)[];
}

/** Where the chains of a disk are looked for. */
export interface ChainPlace {
  readonly contextId: string;
  readonly repositoryId?: string | undefined;
  readonly diskId: number;
}

/** Restore points of single disks, joined to chains by the parents that were recorded with them. */
export class Chains {
  constructor(private readonly rows: DataSource) {}

  /** All links of the disk's chains, oldest first. */
  async links({ contextId, repositoryId, diskId }: ChainPlace): Promise<readonly Link[]> {
    const points = await this.rows.getRepository(BackupRow).find({
      where: { vmContextId: contextId, status: 'completed', ...(repositoryId !== undefined && { repositoryId }) },
      order: { createdAt: 'ASC', backupId: 'ASC' },
    });
    const links = new Map<string, Link>();
    for (const backup of points) {
      const disk = backup.disks.find((one) => one.disk_id === diskId);
      if (disk !== undefined) links.set(backup.backupId, link(backup, disk, links));
    }
    return [...links.values()];
  }

  /** The newest good point of a disk in one repository: an increment stands on it. */
  async head(place: ChainPlace & { readonly repositoryId: string }): Promise<ChainHead | null> {
    const newest = (await this.links(place)).findLast(({ health }) => health === 'good');
    if (newest === undefined) return null;
    const { backup, disk } = newest;
    return {
      backupId: backup.backupId,
      sizeBytes: disk.size_bytes,
      changeId: disk.change_id,
      manifestSha256: disk.manifest_sha256,
      layers: [...disk.layers, disk.image],
      fileSizesBytes: newest.fileSizesBytes,
    };
  }
}

/** `links` holds those that are older, so also the parent if there still is one. */
function link(backup: BackupRow, disk: BackupDisk, links: ReadonlyMap<string, Link>): Link {
  const parent = disk.parent_backup_id === null ? null : links.get(disk.parent_backup_id);
  const standsOnGood = parent === null || parent?.health === 'good';
  return {
    backup,
    disk,
    fullBackupId: parent?.fullBackupId ?? backup.backupId,
    health: disk.damage !== null ? 'damaged' : standsOnGood ? 'good' : 'stands-on-damaged',
    damage: disk.damage,
    fileSizesBytes: [...(parent?.fileSizesBytes ?? []), disk.file_size_bytes],
  };
}
