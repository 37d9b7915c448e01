import type { Migration } from '../migration.js';

/** The OMAs that work on this database, and which of them has which export. None of it is a fact. */
export const instances: Migration = {
  id: '0014-instances',
  sql: `
    create table instance (
      instance_id text primary key,
      start_id text not null unique,
      host text not null,
      process text not null,
      alive_until timestamptz not null,
      started_at timestamptz not null default now()
    );
    -- Who is given up holds no port any more.
    alter table nbd_export add column instance_id text references instance on delete cascade;
    create index nbd_export_instance on nbd_export (instance_id);
  `,
};
