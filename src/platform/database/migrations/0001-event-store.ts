import type { Migration } from '../migration.js';

/**
 * The log. `es.append` takes the row lock of `es.head` first, so positions are contiguous and in the order of commits, and a
 * reader that has seen position n has seen everything before it. Requests of one call are for different streams; events of
 * request r are those with p_req = r, in order. Expected revisions: 0 and more are exact, -1 no stream, -2 any, -4 exists.
 */
export const eventStore: Migration = {
  id: '0001-event-store',
  sql: `
    create schema es;
    create table es.head (
      one boolean primary key default true check (one),
      position bigint not null
    ) with (fillfactor = 10);
    insert into es.head values (true, 0);
    create table es.event (
      position bigint primary key,
      stream text collate "C" not null,
      revision bigint not null,
      id uuid not null unique,
      type text collate "C" not null,
      data jsonb not null,
      metadata jsonb not null,
      recorded_at timestamptz not null,
      unique (stream, revision)
    );
    create index event_type on es.event (type, position);

    create function es.immutable() returns trigger language plpgsql as $$
    begin
      raise exception 'es.event is append-only' using errcode = 'ES001';
    end $$;
    create trigger event_immutable before update or delete or truncate on es.event
      for each statement execute function es.immutable();

    create function es.append(
      p_stream text[], p_expected bigint[], p_req int[], p_id uuid[], p_type text[], p_data jsonb[], p_meta jsonb[]
    ) returns table (req int, status text, revision bigint, pos bigint) language plpgsql as $$
    declare
      base bigint;
      cur bigint;
      n bigint;
    begin
      select h.position into base from es.head h for update;

      -- The usual single append, without the large plan below.
      if cardinality(p_stream) = 1 and p_expected[1] >= -1 then
        select coalesce(max(e.revision), -1) into cur from es.event e where e.stream = p_stream[1];
        if cur = p_expected[1] and not exists (select from es.event e where e.id = any (p_id)) then
          n := cardinality(p_id);
          insert into es.event
            select base + o, p_stream[1], cur + o, i, t, d, m, clock_timestamp()
              from unnest(p_id, p_type, p_data, p_meta) with ordinality u(i, t, d, m, o);
          update es.head h set position = base + n;
          perform pg_notify('es', (base + n)::text);
          return query select 1, 'ok'::text, cur + n, base + n;
          return;
        end if;
      end if;

      return query
      with r as materialized (
        select o::int req, s stream, x expected,
               coalesce((select max(e.revision) from es.event e where e.stream = s), -1) cur
          from unnest(p_stream, p_expected) with ordinality u(s, x, o)),
      stored as materialized (
        select q.q req, count(*) n, min(e.revision) first_rev, max(e.revision) last_rev, max(e.position) last_pos,
               bool_and(e.stream = p_stream[q.q]) same,
               -- Side by side and in the order of the request: then revision and ordinal differ by one number only.
               max(e.revision - q.o) = min(e.revision - q.o) in_order
          from unnest(p_req, p_id) with ordinality q(q, i, o) join es.event e on e.id = q.i group by q.q),
      wanted as materialized (select q req, count(*) n from unnest(p_req) q group by q),
      ok as (
        select r.req, r.stream, r.cur from r left join stored s on s.req = r.req
         where s.req is null
           and (r.expected = r.cur or r.expected = -2 or (r.expected = -4 and r.cur >= 0))),
      ev as materialized (
        select base + row_number() over (order by u.o) pos, ok.req, ok.stream,
               ok.cur + row_number() over (partition by ok.req order by u.o) rev, u.i, u.t, u.d, u.m
          from unnest(p_req, p_id, p_type, p_data, p_meta) with ordinality u(q, i, t, d, m, o) join ok on ok.req = u.q),
      ins as (
        insert into es.event select ev.pos, ev.stream, ev.rev, ev.i, ev.t, ev.d, ev.m, clock_timestamp() from ev),
      done as (select ev.req, max(ev.rev) rev, max(ev.pos) pos from ev group by ev.req)
      select r.req,
             case
               when d.req is not null then 'ok'
               when s.same and s.n = w.n and s.in_order
                    and (r.expected < -1 or s.first_rev = r.expected + 1) then 'duplicate'
               when s.req is not null then 'id-reused'
               else 'conflict'
             end,
             coalesce(d.rev, case when s.same then s.last_rev end, r.cur),
             coalesce(d.pos, s.last_pos)
        from r
        join wanted w on w.req = r.req
        left join stored s on s.req = r.req
        left join done d on d.req = r.req
       order by r.req;

      select max(e.position) into n from es.event e;
      update es.head h set position = n where h.position < n;
      if n > base then perform pg_notify('es', n::text); end if;
    end $$;
  `,
};
