import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { Filter, pageText, Views } from '#platform/database/views';
import { UnknownCursor } from '#platform/http/edge.errors';
import { List } from '#platform/http/paging';
import { AuditRow } from '#projections/audit/audit.entity';

import { type AuditPageResponse, auditResponse, type ExplainedAuditRow } from '../audit.response.js';
import type { ListAuditRequest } from './list-audit.request.js';

const UUID = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';

/**
 * Columns with an index of their own, those that fewest rows share first. The first that is asked for leads the order: by the
 * position alone the database would now and then read the whole log backwards for the few rows that are wanted.
 */
const LEADS = ['correlation_id', 'stream', 'actor_id', 'type'] as const;
type Lead = (typeof LEADS)[number];
const GIVEN_AS = { correlation_id: 'correlation', stream: 'stream', actor_id: 'actor', type: 'type' } as const;
/** Stands behind every position. */
const LAST = `'~'`;

/** Newest first. */
export class ListAudit extends Query<AuditPageResponse> {
  constructor(readonly request: ListAuditRequest) {
    super();
  }
}

@QueryHandler(ListAudit)
export class ListAuditHandler implements IQueryHandler<ListAudit> {
  constructor(private readonly views: Views) {}

  async execute({ request }: ListAudit): Promise<AuditPageResponse> {
    const filter = new Filter();
    const list = new List('audit', request);
    const after = list.after('position');
    if (after !== null) await this.requireGiven(after);
    // What explains a row is looked up for those of the page alone.
    const found = await this.views.select<ExplainedAuditRow>(
      `select page.*, c.event_id as "causeId", c.type as "causeType", c.stream as "causeStream", u.username
         from (${this.page(request, after, filter)}) page
         left join audit c on c.event_id = case when page."causationId" ~ '${UUID}' then page."causationId"::uuid end
         left join app_user u on u.user_id = page."actorId"
        order by page.position desc`,
      filter.values,
    );
    const { rows, next } = list.page(found.slice(0, request.limit + 1), (row) => [row.position]);
    return { events: rows.map(auditResponse), next_cursor: next };
  }

  /** What lies ahead of all rows was given by another log, or before this one was restored. Throws UnknownCursor. */
  private async requireGiven(after: readonly string[]): Promise<void> {
    const reached = await this.views.select('select from audit where position >= $1 limit 1', after);
    if (reached.length === 0) throw new UnknownCursor();
  }

  /** An actor is named by an id or as a user: one page of each, since an `or` would keep the database from using its index. */
  private page(request: ListAuditRequest, after: readonly string[] | null, filter: Filter): string {
    const { actor, from, to, limit } = request;
    const columns = this.views.columns(AuditRow);
    const named = actor === undefined ? null : filter.parameter(actor);
    const [lead, ...others] = LEADS.filter((column) => request[GIVEN_AS[column]] !== undefined);
    const valueOf = (column: Lead) =>
      column === 'actor_id' ? 'actor.id' : filter.parameter(request[GIVEN_AS[column]]);
    if (lead !== undefined) {
      const value = valueOf(lead);
      const before = after === null ? LAST : filter.parameter(after[0]);
      filter.and(
        `(one.${lead}, one.position) >= (${value}, '') and (one.${lead}, one.position) < (${value}, ${before})`,
      );
    }
    for (const column of others) filter.and(`one.${column} = ${valueOf(column)}`);
    filter.on(dateOf(from), (place) => `one.recorded_at >= ${place}`);
    filter.on(dateOf(to), (place) => `one.recorded_at < ${place}`);
    const order = lead === undefined ? ['one.position'] : [`one.${lead}`, 'one.position'];
    const statement = { columns, view: 'audit', filter, order, limit, descending: true } as const;
    const page = pageText({ ...statement, after: lead === undefined ? after : null });
    if (named === null) return page;
    return `select own.* from (select ${named}::text as id union select user_id from app_user where username = ${named}) actor
      cross join lateral (${page}) own order by own.position desc`;
  }
}

/** PostgreSQL knows fewer time zones than RFC 3339 allows. */
function dateOf(moment: string | undefined): Date | undefined {
  return moment === undefined ? undefined : new Date(moment);
}
