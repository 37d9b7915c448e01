import type { Database } from '#platform/database/database';

/** What an agent said of one disk. */
export interface DiskReport {
  readonly bytesTransferred: number;
  /** The whole disk, or what had changed; null when the agent doesn't say. */
  readonly bytesToCopy: number | null;
}

/** How far one disk of a backup is, by the agent's newest account. */
export interface DiskProgressRow {
  readonly device_key: number;
  readonly bytes_transferred: number;
  readonly bytes_to_copy: number | null;
  /** The moving average described at `BackupProgress`; null before there are two reports. */
  readonly bytes_per_second: number | null;
  /** Reports that came out of order and were not counted. */
  readonly ignored_reports: number;
  readonly updated_at: Date;
}

/** Time constant of the average: what is older than three times this hardly counts. */
const AVERAGE_SECONDS = 15;

interface Row {
  readonly device_key: number;
  readonly bytes_transferred: number;
  readonly bytes_to_copy: number | null;
  readonly weighted_rate: number;
  readonly ignored_reports: number;
  readonly updated_at: string;
  readonly weight: number;
  readonly idle_seconds: number;
}

/** Progress within another statement's row; null where no agent has said anything. */
export type ProgressColumn = readonly Row[] | null;

/**
 * The newest progress of backups: a table and not the log, since nothing follows from it.
 *
 * The rate is an exponentially weighted moving average with a time constant of 15 seconds, corrected for the time before the
 * first report; while no report comes it decays. The time left is what is left at that rate.
 */
export class BackupProgress {
  constructor(private readonly database: Database) {}

  /**
   * Progress only grows: a report that says less than an earlier one is counted and otherwise ignored, and of the totals that
   * were told the smallest counts, so that the share that is done never falls.
   */
  async record(jobId: string, deviceKey: number, report: DiskReport): Promise<void> {
    await this.database.query(
      `insert into backup_progress as p (job_id, device_key, bytes_transferred, bytes_to_copy, updated_at, started_at)
         values ($1, $2, $3, $4, clock_timestamp(), clock_timestamp())
       on conflict (job_id, device_key) do update set
         bytes_to_copy = case when excluded.bytes_transferred < p.bytes_transferred then p.bytes_to_copy
           else coalesce(least(nullif(p.bytes_to_copy, 0), nullif(excluded.bytes_to_copy, 0)), p.bytes_to_copy, excluded.bytes_to_copy) end,
         bytes_transferred = greatest(p.bytes_transferred, excluded.bytes_transferred),
         ignored_reports = p.ignored_reports + (excluded.bytes_transferred < p.bytes_transferred)::int,
         weighted_rate = case when excluded.bytes_transferred < p.bytes_transferred then p.weighted_rate else (
           select p.weighted_rate * exp(-d / $5::float8) + (1 - exp(-d / $5::float8)) * (excluded.bytes_transferred - p.bytes_transferred) / d
             from (select greatest(extract(epoch from excluded.updated_at - p.updated_at)::float8, 0.001) as d) as since) end,
         updated_at = case when excluded.bytes_transferred < p.bytes_transferred then p.updated_at else excluded.updated_at end`,
      [jobId, deviceKey, report.bytesTransferred, report.bytesToCopy, AVERAGE_SECONDS],
    );
  }

  /** The progress of a job as a column of somebody else's statement, for `read`; `jobId` is what stands for the job's id there. */
  static column(jobId: string): string {
    return `(select json_agg(json_build_object('device_key', p.device_key, 'bytes_transferred', p.bytes_transferred,
        'bytes_to_copy', p.bytes_to_copy, 'weighted_rate', p.weighted_rate, 'ignored_reports', p.ignored_reports,
        'updated_at', p.updated_at, 'idle_seconds', extract(epoch from clock_timestamp() - p.updated_at)::float8,
        'weight', 1 - exp(-extract(epoch from clock_timestamp() - p.started_at)::float8 / ${AVERAGE_SECONDS})) order by p.device_key)
      from backup_progress p where p.job_id = ${jobId})`;
  }

  static read(column: ProgressColumn): readonly DiskProgressRow[] {
    return (column ?? []).map(fromRow);
  }
}

function fromRow(row: Row): DiskProgressRow {
  const decayed = row.weighted_rate * Math.exp(-Math.max(0, row.idle_seconds) / AVERAGE_SECONDS);
  return {
    device_key: row.device_key,
    bytes_transferred: row.bytes_transferred,
    bytes_to_copy: row.bytes_to_copy,
    bytes_per_second: decayed > 0 && row.weight > 0 ? Math.round(decayed / row.weight) : null,
    ignored_reports: row.ignored_reports,
    updated_at: new Date(row.updated_at),
  };
}
