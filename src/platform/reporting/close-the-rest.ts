import type { Sql } from '#platform/database/database';

/** What everybody may do in a database unless somebody says otherwise, and nobody should who may only read. */
const OPEN_FUNCTIONS = '^(lo_.*|loread|lowrite|pg_(try_)?advisory_.*|pg_logical_emit_message)$';

/**
 * Temporary tables and large objects fill the disk, and OMA itself waits for advisory locks. The first is for the owner of the
 * database to say, the others for a superuser, which OMA is on the embedded server. The owner loses nothing by it.
 */
export async function closeTheRest(sql: Sql): Promise<void> {
  const { rows } = await sql.query<{ statement: string }>(
    `with own as (select datname, datdba::regrole as owner from pg_database where datname = current_database())
     select format('revoke temporary on database %I from public', datname) as statement from own
      where pg_has_role(owner, 'usage') and has_database_privilege('public', datname, 'temporary')
      union all
     select format('revoke execute on function %1$s from public; grant execute on function %1$s to %2$s', p.oid::regprocedure, owner)
       from own, pg_proc p
      where p.pronamespace = 'pg_catalog'::regnamespace and p.proname ~ $1 and has_function_privilege('public', p.oid, 'execute')
        and (select rolsuper from pg_roles where rolname = current_user)`,
    [OPEN_FUNCTIONS],
  );
  for (const { statement } of rows) await sql.query(statement);
}
