import type { Migration } from '../migration.js';

/** `es.append_new` without its way for a single event, which goes as a statement of its own. */
export const appendSeveral: Migration = {
  id: '0018-append-several',
  sql: `
    create or replace function es.append_new(
      p_after text[], p_after_revision bigint[],
      p_stream text[], p_revision bigint[], p_id uuid[], p_type text[], p_data jsonb[], p_meta jsonb[], p_tell boolean
    ) returns bigint language plpgsql as $$
    declare
      base bigint;
      n bigint := cardinality(p_id);
    begin
      -- The update is the lane: whoever else appends waits here until the end of this transaction.
      update es.head h set position = h.position + n
       where not exists (
         select from unnest(p_after, p_after_revision) a(s, r)
          where not exists (select from es.event e where e.stream = a.s and e.revision = a.r))
       returning h.position - n into base;
      if base is null then return null; end if;
      insert into es.event
        select base + o, s, r, i, t, d, m, clock_timestamp()
          from unnest(p_stream, p_revision, p_id, p_type, p_data, p_meta) with ordinality u(s, r, i, t, d, m, o);
      if p_tell then perform pg_notify('es', ''); end if;
      return base;
    exception when unique_violation then
      return null;
    end $$;
  `,
};
