import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, In } from 'typeorm';

import { cursorOf, readCursor } from '#platform/http/paging';
import { UserRow } from '#projections/access/user.entity';
import { AuditRow } from '#projections/audit/audit.entity';

import { type AuditPageResponse, type AuditResponse, auditResponse } from '../audit.response.js';
import type { ListAuditRequest } from './list-audit.request.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Newest first. */
export class ListAudit extends Query<AuditPageResponse> {
  constructor(readonly request: ListAuditRequest) {
    super();
  }
}

@QueryHandler(ListAudit)
export class ListAuditHandler implements IQueryHandler<ListAudit> {
  constructor(private readonly rows: DataSource) {}

  async execute({ request }: ListAudit): Promise<AuditPageResponse> {
    const select = await this.select(request);
    const found = await select
      .orderBy('one.position', 'DESC')
      .limit(request.limit + 1)
      .getMany();
    const page = found.slice(0, request.limit);
    const last = page.at(-1);
    const next = found.length > request.limit && last !== undefined ? cursorOf(last.position) : null;
    return { events: await this.shown(page), next_cursor: next };
  }

  private async select({ actor, type, stream, correlation, from, to, cursor }: ListAuditRequest) {
    const after = readCursor(cursor, 'text');
    const select = this.rows.getRepository(AuditRow).createQueryBuilder('one');
    if (actor !== undefined) {
      // Looked up first: an `or` with a subquery would keep the database from using the index of actors.
      const named = await this.rows.getRepository(UserRow).findBy({ username: actor });
      const [id, ...others] = new Set([actor, ...named.map(({ userId }) => userId)]);
      if (others.length === 0) select.andWhere('one.actor_id = :id', { id });
      else select.andWhere('one.actor_id in (:...ids)', { ids: [id, ...others] });
    }
    if (type !== undefined) select.andWhere('one.type = :type', { type });
    if (stream !== undefined) select.andWhere('one.stream = :stream', { stream });
    if (correlation !== undefined) select.andWhere('one.correlation_id = :correlation', { correlation });
    if (from !== undefined) select.andWhere('one.recorded_at >= :from', { from });
    if (to !== undefined) select.andWhere('one.recorded_at < :to', { to });
    if (after !== null) select.andWhere('one.position < :position', { position: after[0] });
    return select;
  }

  private async shown(page: readonly AuditRow[]): Promise<readonly AuditResponse[]> {
    const causes = page.map((row) => row.causationId).filter((id) => UUID.test(id));
    const [causing, users] = await Promise.all([
      this.rows.getRepository(AuditRow).findBy({ eventId: In(causes) }),
      this.rows.getRepository(UserRow).findBy({ userId: In(page.map((row) => row.actorId)) }),
    ]);
    const causeOf = new Map(causing.map((row) => [row.eventId, row]));
    const userOf = new Map(users.map((row) => [row.userId, row]));
    return page.map((row) => auditResponse(row, causeOf.get(row.causationId), userOf.get(row.actorId)));
  }
}
