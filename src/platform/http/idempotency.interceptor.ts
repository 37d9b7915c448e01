import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { catchError, concatMap, from, type Observable, of, throwError } from 'rxjs';

import { DomainError } from '#domain/kernel/domain-error';
import { isRefusedByLog } from '#platform/event-store/event-store.port';

import { EdgeRefusal, IdempotencyKeyReused, RequestUnderWay } from './edge.errors.js';
import { type FirstAnswer, IdempotencyKeys, type Mine } from './idempotency.port.js';
import { idempotencyKeyOf } from './request-context.js';

/** The correlation id as well: what was done is found by that of the request that did it. */
const KEPT_HEADERS = ['location', 'x-consistency', 'x-event-position', 'x-correlation-id', 'etag'];

/**
 * Gives the same `Idempotency-Key` the first answer again. With the key its command's id is kept, so that a crash between
 * effect and answer is recognised by the streams themselves.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(private readonly keys: IdempotencyKeys) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> | Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const key = idempotencyKeyOf(request);
    const userId = request.principal?.userId;
    if (key === null || userId === undefined) return next.handle();
    return this.once(request, context.switchToHttp().getResponse<FastifyReply>(), { userId, key }, next);
  }

  private async once(
    request: FastifyRequest,
    reply: FastifyReply,
    { userId, key }: { readonly userId: string; readonly key: string },
    next: CallHandler,
  ): Promise<Observable<unknown>> {
    const claim = await this.keys.claim(userId, key, wholeOf(request));
    switch (claim.is) {
      case 'answered':
        return of(again(reply, claim.answer));
      case 'under-way':
        throw new RequestUnderWay();
      case 'other-request':
        throw new IdempotencyKeyReused();
      case 'mine':
        request.commandId = claim.commandId;
        return next.handle().pipe(
          concatMap(async (body: unknown) => {
            await this.keys.answered(userId, key, claim, answerOf(reply, body));
            return body;
          }),
          catchError((error: unknown) =>
            // Where the key can't be given back, the caller hears of what failed first; the claim runs out.
            from(this.giveBack(request, { userId, key, claim }, error).catch(() => undefined)).pipe(
              concatMap(() => throwError(() => error)),
            ),
          ),
        );
    }
  }

  /** Only a refusal without any decision leaves nothing behind; of a fault nobody knows. */
  private async giveBack(
    request: FastifyRequest,
    { userId, key, claim }: { readonly userId: string; readonly key: string; readonly claim: Mine },
    error: unknown,
  ): Promise<void> {
    const isRefusal =
      [DomainError, EdgeRefusal, HttpException].some((kind) => error instanceof kind) || isRefusedByLog(error);
    const isClean = isRefusal && request.decisions?.any !== true;
    await (isClean ? this.keys.release(userId, key, claim) : this.keys.abandon(userId, key, claim));
  }
}

function wholeOf(request: FastifyRequest): string {
  return [request.method, request.url, JSON.stringify(request.body ?? null)].join('\n');
}

function answerOf(reply: FastifyReply, body: unknown): FirstAnswer {
  const kept = KEPT_HEADERS.flatMap((name) => {
    const value = reply.getHeader(name);
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  return { status: reply.statusCode, body: body ?? null, headers: Object.fromEntries(kept) };
}

function again(reply: FastifyReply, answer: FirstAnswer): unknown {
  void reply.status(answer.status).headers({ ...answer.headers, 'idempotency-replayed': 'true' });
  return answer.body;
}
