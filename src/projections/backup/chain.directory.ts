import { CHANGE_TRACKING_RESET, isSameEpoch } from '#domain/backup/change-id';
import type { ChainHead } from '#domain/backup/disk-mode';
import { Filter, type Views } from '#platform/database/views';

import { BackupRow } from './backup.entity.js';
import type { BackupDisk, Damage } from './backup.projection.js';

/** Whether a disk of a restore point can be trusted: by what was found in its own layer, or in one it stands on. */
export type Health = 'good' | 'damaged' | 'stands-on-damaged';

/** One disk of one restore point as a link of its chain. */
export interface Link {
  readonly backup: BackupRow;
  readonly disk: BackupDisk;
  /** What the VM is called now; null when it is not known any more. */
  readonly vmName: string | null;
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

/** The chains of a disk in one repository; only there can a backup stand on a point. */
export type RepositoryChains = ChainPlace & { readonly repositoryId: string };

/** Restore points of single disks, joined to chains by the parents that were recorded with them. */
export class Chains {
  constructor(private readonly views: Views) {}

  /** All links of the disk's chains, oldest first. */
  async links({ contextId, repositoryId, diskId }: ChainPlace): Promise<readonly Link[]> {
    const filter = new Filter()
      .on(contextId, (place) => `one.vm_context_id = ${place}`)
      .on(repositoryId, (place) => `one.repository_id = ${place}`)
      .and(`one.status = 'completed'`);
    const points = await this.views.select<BackupRow & { readonly nameNow: string | null }>(
      `select ${this.views.columns(BackupRow)},
              (select vm.vm_name from vm_context vm where vm.context_id = one.vm_context_id) as "nameNow"
         from backup one ${filter.where} order by one.created_at, one.backup_id`,
      filter.values,
    );
    const links = new Map<string, Link>();
    for (const backup of points) {
      const disk = backup.disks.find((one) => one.disk_id === diskId);
      if (disk !== undefined) links.set(backup.backupId, link(backup, disk, backup.nameNow, links));
    }
    return [...links.values()];
  }

  /** The newest good point of a disk in one repository: an increment stands on it. `damaged` when there are points and none is good. */
  async head(place: RepositoryChains): Promise<ChainHead | 'damaged' | null> {
    const links = await this.links(place);
    const newest = links.findLast(({ health }) => health === 'good');
    if (newest === undefined) return links.length === 0 ? null : 'damaged';
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

  /**
   * Whether an increment on this head was given up after the agent had told a change id of another epoch, or because it could
   * not tell what had changed: the disk's tracking was reset since. It is the only sign of it where an agent can't be asked.
   */
  async wasReset(
    { contextId, repositoryId, diskId }: RepositoryChains,
    { backupId, changeId }: ChainHead,
  ): Promise<boolean> {
    const given = await this.views.select<Pick<BackupRow, 'disks' | 'errorCode'>>(
      `select one.disks, one.error_code as "errorCode" from backup one
        where one.vm_context_id = $1 and one.repository_id = $2 and one.status in ('failed', 'cancelled')`,
      [contextId, repositoryId],
    );
    return given.some(({ disks, errorCode }) => {
      const ofHead = disks.filter((disk) => disk.disk_id === diskId && disk.parent_backup_id === backupId);
      return ofHead.some(
        ({ told_change_id: told }) =>
          errorCode === CHANGE_TRACKING_RESET || (told !== null && changeId !== null && !isSameEpoch(told, changeId)),
      );
    });
  }
}

/** `links` holds those that are older, so also the parent if there still is one. */
function link(backup: BackupRow, disk: BackupDisk, vmName: string | null, links: ReadonlyMap<string, Link>): Link {
  const parent = disk.parent_backup_id === null ? null : links.get(disk.parent_backup_id);
  const standsOnGood = parent === null || parent?.health === 'good';
  return {
    backup,
    disk,
    vmName,
    fullBackupId: parent?.fullBackupId ?? backup.backupId,
    health: disk.damage !== null ? 'damaged' : standsOnGood ? 'good' : 'stands-on-damaged',
    damage: disk.damage,
    fileSizesBytes: [...(parent?.fileSizesBytes ?? []), disk.file_size_bytes],
  };
}
