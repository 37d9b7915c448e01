import type { Migration } from '../migration.js';

/**
 * The usual append without the questions of `es.append`: all requests expect an exact revision, nothing stands in the way, and
 * all of it is stored or nothing. p_after and p_after_revision name the events that must be there already; they never go away,
 * so the look needs no lock. Whatever else is wrong meets a unique index. Answers the position before the first one, or null when
 * something stands in the way: then `es.append` tells what. p_tell is false where readers are told by a later call.
 */
export const appendNew: Migration = {
  id: '0013-append-new',
  sql: `
    create function es.append_new(
      p_after text[], p_after_revision bigint[],
      p_stream text[], p_revision bigint[], p_id uuid[], p_type text[], p_data jsonb[], p_meta jsonb[], p_tell boolean
    ) returns bigint language plpgsql as $$
    declare
      base bigint;
      n bigint := cardinality(p_id);
    begin
      -- The update is the lane: whoever else appends waits here until the end of this transaction.
      if n = 1 then
        update es.head h set position = h.position + 1
         where p_revision[1] = 0
            or exists (select from es.event e where e.stream = p_stream[1] and e.revision = p_revision[1] - 1)
         returning h.position - 1 into base;
        if base is null then return null; end if;
        insert into es.event
          values (base + 1, p_stream[1], p_revision[1], p_id[1], p_type[1], p_data[1], p_meta[1], clock_timestamp());
      else
        update es.head h set position = h.position + n
         where not exists (
           select from unnest(p_after, p_after_revision) a(s, r)
            where not exists (select from es.event e where e.stream = a.s and e.revision = a.r))
         returning h.position - n into base;
        if base is null then return null; end if;
        insert into es.event
          select base + o, s, r, i, t, d, m, clock_timestamp()
            from unnest(p_stream, p_revision, p_id, p_type, p_data, p_meta) with ordinality u(s, r, i, t, d, m, o);
      end if;
      if p_tell then perform pg_notify('es', ''); end if;
      return base;
    exception when unique_violation then
      return null;
    end $$;
  `,
};
