import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';

import { BackupProgress } from '#platform/vma/backup-progress';
import { sumOf } from '#projections/backup/copy-progress';
import { BackupRow } from '#projections/backup/backup.entity';
import type { JobRow } from '#projections/jobs/job.entity';

/** How much of their disks the backups among some jobs have copied. */
@Injectable()
export class CopiedShare {
  constructor(
    private readonly rows: DataSource,
    private readonly progress: BackupProgress,
  ) {}

  /** Job id to a share from 0 to 1. */
  async of(jobs: readonly JobRow[]): Promise<ReadonlyMap<string, number>> {
    const ids = jobs.filter((job) => job.jobType === 'backup').map((job) => job.jobId);
    if (ids.length === 0) return new Map();
    const [backups, progress] = await Promise.all([
      this.rows.getRepository(BackupRow).findBy({ backupId: In(ids) }),
      this.progress.of(ids),
    ]);
    return new Map(
      backups.map((backup) => {
        const seen = progress.get(backup.backupId) ?? [];
        const copied = sumOf(seen, (disk) => disk.bytes_transferred);
        const toCopy = sumOf(backup.disks, (disk) => {
          const one = seen.find(({ device_key: key }) => key === disk.device_key);
          return one?.bytes_to_copy ?? disk.size_bytes;
        });
        return [backup.backupId, toCopy === 0 ? 0 : copied / toCopy];
      }),
    );
  }
}
