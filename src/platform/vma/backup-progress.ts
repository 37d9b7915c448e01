import type { Database } from '#platform/database/database';

/** How far one disk of a backup is, by the agent's newest account. */
export interface DiskProgressRow {
  readonly device_key: number;
  readonly bytes_transferred: number;
}

/** The newest progress of backups: a table and not the log, since nothing follows from it. */
export class BackupProgress {
  constructor(private readonly database: Database) {}

  /** Progress only grows: a late report changes nothing. */
  async record(jobId: string, deviceKey: number, bytesTransferred: number): Promise<void> {
    await this.database.query(
      `insert into backup_progress (job_id, device_key, bytes_transferred) values ($1, $2, $3)
       on conflict (job_id, device_key) do update
         set bytes_transferred = greatest(backup_progress.bytes_transferred, excluded.bytes_transferred), updated_at = now()`,
      [jobId, deviceKey, bytesTransferred],
    );
  }

  async of(jobIds: readonly string[]): Promise<ReadonlyMap<string, readonly DiskProgressRow[]>> {
    const rows = await this.database.query<{ job_id: string; device_key: string; bytes_transferred: string }>(
      `select job_id, device_key, bytes_transferred from backup_progress where job_id = any($1) order by device_key`,
      [[...jobIds]],
    );
    const found = new Map<string, DiskProgressRow[]>();
    for (const row of rows) {
      const disks = found.get(row.job_id) ?? [];
      disks.push({ device_key: Number(row.device_key), bytes_transferred: Number(row.bytes_transferred) });
      found.set(row.job_id, disks);
    }
    return found;
  }
}
