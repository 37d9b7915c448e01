import type { Migration } from '../migration.js';

/** The newest that agents said of running backups. */
export const backupProgress: Migration = {
  id: '0007-backup-progress',
  sql: `
    create table backup_progress (
      job_id text not null,
      device_key bigint not null,
      bytes_transferred bigint not null,
      updated_at timestamptz not null default now(),
      primary key (job_id, device_key)
    );
  `,
};
