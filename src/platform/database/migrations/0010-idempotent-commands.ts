import type { Migration } from '../migration.js';

/** A key's command has an id that outlives a crash, and a claim ends by itself where nobody can see that its owner is dead. */
export const idempotentCommands: Migration = {
  id: '0010-idempotent-commands',
  sql: `
    alter table idempotency_key
      add column command_id uuid not null default gen_random_uuid(),
      add column claimed_at timestamptz not null default now();
  `,
};
