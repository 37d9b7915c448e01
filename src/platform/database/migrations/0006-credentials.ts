import type { Migration } from '../migration.js';

/** Small numbers for credentials, and how often each one's password was taken out of the vault. Neither is a fact. */
export const credentials: Migration = {
  id: '0006-credentials',
  sql: `
    create sequence number_of_credential as integer;
    create table credential_use (
      credential_id integer primary key,
      usage_count integer not null,
      last_used timestamptz not null
    );
  `,
};
