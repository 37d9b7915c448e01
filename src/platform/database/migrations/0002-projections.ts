import type { Migration } from '../migration.js';

/** The registry of projections: one row per version, which is also its lock and its checkpoint. */
export const projections: Migration = {
  id: '0002-projections',
  sql: `
    create table projection (
      name text not null,
      version integer not null,
      position text collate "C" not null,
      status text not null check (status in ('running', 'stopped')),
      error text,
      stopped_event_id text,
      last_recorded_at timestamptz,
      updated_at timestamptz not null default now(),
      primary key (name, version)
    );
  `,
};
