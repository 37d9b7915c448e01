import type { Migration } from '../migration.js';

/** Leases of effects and the place up to which domain events were offered to the sagas. Neither is a fact. */
export const sagas: Migration = {
  id: '0003-sagas',
  sql: `
    create table effect_lease (
      effect_id uuid primary key,
      resource text not null unique,
      owner text not null,
      state text not null check (state in ('running', 'waiting', 'settled')),
      attempt integer not null,
      failures integer not null default 0,
      leased_until timestamptz not null,
      run_after timestamptz
    );
    create table saga_checkpoint (
      one boolean primary key default true check (one),
      position text collate "C" not null
    );
    insert into saga_checkpoint values (true, '');
  `,
};
