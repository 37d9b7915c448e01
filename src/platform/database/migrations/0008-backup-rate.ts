import type { Migration } from '../migration.js';

/** What the rate of a running backup is reckoned from, and the reports that came too late to count. */
export const backupRate: Migration = {
  id: '0008-backup-rate',
  sql: `
    alter table backup_progress
      add column bytes_to_copy bigint,
      add column weighted_rate double precision not null default 0,
      add column ignored_reports bigint not null default 0,
      add column started_at timestamptz not null default now();
  `,
};
