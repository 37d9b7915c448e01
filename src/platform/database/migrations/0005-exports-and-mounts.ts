import type { Migration } from '../migration.js';

/** Which export holds which port, and when somebody last read from a mount. Neither is a fact of the domain. */
export const exportsAndMounts: Migration = {
  id: '0005-exports-and-mounts',
  sql: `
    create table nbd_export (
      export_id text primary key,
      port integer unique,
      export_name text not null unique,
      pid integer,
      start_ticks bigint,
      stop_asked_at timestamptz,
      closed_at timestamptz,
      exit_code integer,
      created_at timestamptz not null default now()
    );
    create table restore_access (
      mount_id text primary key,
      last_accessed_at timestamptz not null default now(),
      open_reads integer not null default 0
    );
  `,
};
