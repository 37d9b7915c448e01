import type { Views } from '#platform/database/views';
import { BackupProgress, type ProgressColumn } from '#platform/vma/backup-progress';
import type { BackupDisk } from '#projections/backup/backup.projection';
import { sumOf } from '#projections/backup/copy-progress';
import { JobRow } from '#projections/jobs/job.entity';

/** A job, and of a backup that isn't completed what it copies. */
export interface JobRowWithCopy extends JobRow {
  readonly disks: readonly BackupDisk[] | null;
  readonly progress: ProgressColumn;
}

/** What a statement about jobs needs for it. */
export function withCopy(views: Views): { readonly columns: string; readonly joins: string } {
  return {
    columns: `${views.columns(JobRow)}, b.disks, ${BackupProgress.column('b.backup_id')} as progress`,
    joins: `left join backup b on b.backup_id = one.job_id and one.status <> 'completed'`,
  };
}

/** How much of its disks a backup has copied, from 0 to 1; null for what copies nothing, and for what is completed anyway. */
export function copiedShare({ disks, progress }: JobRowWithCopy): number | null {
  if (disks === null) return null;
  const seen = BackupProgress.read(progress);
  const copied = sumOf(seen, (disk) => disk.bytes_transferred);
  const toCopy = sumOf(disks, (disk) => {
    const one = seen.find(({ device_key: key }) => key === disk.device_key);
    return one?.bytes_to_copy ?? disk.size_bytes;
  });
  return toCopy === 0 ? 0 : copied / toCopy;
}
