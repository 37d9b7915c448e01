import type { Migration } from '../migration.js';

/** What the HTTP edge keeps: passwords (hashed), sessions, first answers; and the vault. None of it is ever in the log. */
export const edge: Migration = {
  id: '0004-edge',
  sql: `
    create table password (
      user_id text primary key,
      hash text not null,
      changed_at timestamptz not null default now()
    );
    create table session (
      token_hash text primary key,
      user_id text not null,
      created_at timestamptz not null default now(),
      expires_at timestamptz not null
    );
    create index session_expiry on session (expires_at);
    create table idempotency_key (
      user_id text not null,
      key text not null,
      fingerprint text not null,
      owner text not null,
      answer jsonb,
      created_at timestamptz not null default now(),
      primary key (user_id, key)
    );
    create index idempotency_key_age on idempotency_key (created_at);
    create table secret (
      ref text primary key,
      wrapped_key bytea not null,
      sealed bytea not null,
      created_at timestamptz not null default now()
    );
    create table vault_seal (
      one boolean primary key default true check (one),
      sealed bytea not null
    );
  `,
};
