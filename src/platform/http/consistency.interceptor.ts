import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { catchError, concatMap, type Observable, throwError } from 'rxjs';

import type { Precondition } from '#domain/kernel/command-context';
import { StreamHasMoved } from '#platform/event-store/event-store.port';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';

import { tellConsistency } from './consistency.js';
import { Decisions } from './decisions.js';
import { NotVisibleYet, PreconditionFailed } from './edge.errors.js';
import { etagOf, matchedRevisions } from './etag.js';
import { Positions } from './positions.js';
import { type RouteTraits, traitsOf, VISIBLE_WITHIN_MS } from './route.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the command of this request decided, and what it presupposes. */
    decisions?: Decisions;
    precondition?: Precondition;
  }
}

/**
 * Read your writes, for every command alike (docs/adr/0014): it answers with `X-Event-Position` and `ETag` once the read models
 * that the route names have passed it, or says `X-Consistency: pending`; `If-Match` becomes the revision that it presupposes.
 */
@Injectable()
export class ConsistencyInterceptor implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly positions: Positions,
    private readonly progress: ProjectionProgress,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const traits = traitsOf(this.reflector, context);
    const decisions = new Decisions();
    request.decisions = decisions;
    const precondition = preconditionOf(request, traits);
    if (precondition !== null) request.precondition = precondition;
    return next.handle().pipe(
      concatMap(async (body: unknown) => {
        await this.tell(http.getResponse<FastifyReply>(), traits, decisions);
        return body;
      }),
      catchError((error: unknown) => {
        // What was decided has a position, also where it can't be shown yet.
        if (error instanceof NotVisibleYet)
          void http.getResponse<FastifyReply>().header('x-event-position', decisions.position);
        return throwError(() => (error instanceof StreamHasMoved ? movedTo(error.actual) : error));
      }),
    );
  }

  private async tell(reply: FastifyReply, { reads, subject }: RouteTraits, decisions: Decisions): Promise<void> {
    const { position } = decisions;
    // A command that decided nothing still has an answer to "after what?": everything that is in the log now.
    void reply.header('x-event-position', position ?? (await this.positions.head()));
    const revision = decisions.revisionOf(subject);
    if (revision !== null && revision >= 0 && !reply.hasHeader('etag')) void reply.header('etag', etagOf(revision));
    if (position === null) return;
    const leftMs = Math.max(0, VISIBLE_WITHIN_MS - decisions.ageMs);
    tellConsistency(reply, !(await this.progress.waitFor(reads ?? [], position, leftMs)));
  }
}

/** While the stream is empty there is a thing, and no tag of it that anybody was shown. */
function movedTo(revision: bigint): PreconditionFailed {
  return revision < 0n
    ? new PreconditionFailed(null, 'beginning')
    : new PreconditionFailed(etagOf(revision), 'changed');
}

/** Throws PreconditionFailed where there is nothing that the tag could be of. */
function preconditionOf(request: FastifyRequest, { subject, creates }: RouteTraits): Precondition | null {
  const revisions = matchedRevisions(request);
  if (revisions === null) return null;
  if (creates) throw new PreconditionFailed(null, 'nothing');
  // Whatever is there will do; of what is not there the command says so itself.
  if (revisions === 'any') return null;
  if (subject.length === 0) throw new PreconditionFailed(null, 'nothing');
  return { categories: subject, revisions };
}
