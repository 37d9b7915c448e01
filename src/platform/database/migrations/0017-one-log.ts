import type { Migration } from '../migration.js';

/**
 * The log that this database belongs to. A database in use gets its kind from where its events are; which EventStoreDB it was
 * is learnt at the next start.
 */
export const oneLog: Migration = {
  id: '0017-one-log',
  sql: `
    create table own_log (
      one boolean primary key default true check (one),
      kind text not null,
      log_id uuid
    );
    insert into own_log (kind)
      select case when (select position from es.head) > 0 then 'postgresql' else 'eventstoredb' end
       where exists (select from projection where position <> '');
  `,
};
