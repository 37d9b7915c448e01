import type { Migration } from '../migration.js';

/**
 * A projection's rows can stand several times beside each other: one row of the registry per version and generation, of which
 * one is `live`, that is, behind the view. Beside it: comparisons of rows with the log, and events that were skipped on purpose.
 */
export const generations: Migration = {
  id: '0009-generations',
  sql: `
    alter table projection drop constraint projection_pkey;
    alter table projection drop constraint projection_status_check;
    alter table projection
      add column generation integer not null default 1,
      add column live boolean not null default false,
      add column events bigint not null default 0,
      add column started_at timestamptz not null default now(),
      add column retired_at timestamptz;
    alter table projection add primary key (name, version, generation);
    update projection p set live = true
      where version = (select max(version) from projection o where o.name = p.name);
    update projection set status = 'retired', retired_at = now() where not live;
    alter table projection add constraint projection_status_check
      check (status in ('building', 'running', 'stopped', 'cancelled', 'retired'));
    create unique index projection_live on projection (name) where live;
    create unique index projection_building on projection (name, version)
      where not live and status in ('building', 'stopped');

    create table projection_check (
      id uuid primary key,
      name text not null,
      version integer not null,
      status text not null check (status in ('running', 'done', 'failed')),
      position text collate "C",
      result jsonb,
      error text,
      started_at timestamptz not null default now(),
      ended_at timestamptz
    );

    create table projection_dead_letter (
      name text not null,
      version integer not null,
      event_id text not null,
      error text not null,
      actor text not null,
      reason text not null,
      skipped_at timestamptz not null default now(),
      primary key (name, version, event_id)
    );
  `,
};
