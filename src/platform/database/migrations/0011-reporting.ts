import type { Migration } from '../migration.js';

/**
 * The views that reports are made from, in a schema of their own with a role that may read them and nothing else.
 *
 * `remake_reporting` makes each view of `reporting_view` that is missing or was made from another definition. It is called at
 * start and whenever a projection's view was made anew, in the same transaction. A definition that doesn't fit the rows that
 * there are is left for later: they are of another version, and the swap to the right one calls it again.
 */
export const reporting: Migration = {
  id: '0011-reporting',
  sql: `
    create schema reporting;
    comment on schema reporting is 'Views for reports; see docs/reporting.md. A view with _v1 in its name keeps its columns.';
    create table reporting_view (
      name text primary key,
      definition text not null,
      about text not null,
      columns jsonb not null,
      changed boolean not null default true
    );

    -- The role is of the whole server: another database of it may have made it, or make it just now.
    do $$ begin
      if not exists (select from pg_roles where rolname = 'oma_reporting') then
        create role oma_reporting nologin;
      end if;
    exception when insufficient_privilege or duplicate_object or unique_violation then
      null;
    end $$;

    create function remake_reporting() returns void language plpgsql as $$
    declare
      view reporting_view;
      field record;
    begin
      perform pg_advisory_xact_lock(hashtext('oma reporting'));
      for view in select * from reporting_view order by name loop
        continue when to_regclass(format('reporting.%I', view.name)) is not null and not view.changed;
        begin
          execute format('create or replace view reporting.%I as %s', view.name, view.definition);
          execute format('comment on view reporting.%I is %L', view.name, view.about);
          for field in select f->>'name' as name, f->>'about' as about from jsonb_array_elements(view.columns) f loop
            execute format('comment on column reporting.%I.%I is %L', view.name, field.name, field.about);
          end loop;
          update reporting_view r set changed = false where r.name = view.name;
        exception when undefined_table or undefined_column then
          null;
        end;
      end loop;
      if exists (select from pg_roles where rolname = 'oma_reporting') then
        grant usage on schema reporting to oma_reporting;
        grant select on all tables in schema reporting to oma_reporting;
      end if;
    end $$;
    revoke all on function remake_reporting() from public;
  `,
};
