import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { DomainError, type RefusalKind } from '#domain/kernel/domain-error';
import type { JsonObject } from '#domain/kernel/event';
import { isDatabaseAway } from '#platform/database/database-away';
import { AppendTooLarge, EventStoreAway, StreamDeleted } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

import { EdgeRefusal } from './edge.errors.js';

const STATUS: Readonly<Record<RefusalKind, number>> = {
  malformed: 400,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  gone: 410,
  'rule-broken': 422,
  unavailable: 503,
};

const TITLES: Readonly<Record<number, string>> = {
  400: 'Malformed request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Too slow',
  409: 'Conflict',
  410: 'Gone',
  412: 'Changed meanwhile',
  413: 'Request too large',
  415: 'Unsupported media type',
  416: 'Range not satisfiable',
  422: 'Not possible',
  429: 'Too many requests',
  431: 'Headers too large',
  500: 'Internal error',
  503: 'Not available',
};

const FORBIDDEN = 403;
const NOT_FOUND = 404;
const INTERNAL = 500;
const UNAVAILABLE = 503;
/** No faults of ours, but nothing that whoever runs OMA should miss. */
const WARNED_OF: readonly string[] = ['event-store-away', 'database-away', 'stream-deleted', 'too-large-to-record'];

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly remedy?: string | undefined;
  readonly facts?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
}

const STREAM_DELETED: Problem = {
  status: 409,
  code: 'stream-deleted',
  detail: 'the events that this has to be decided on were deleted on the event store',
  remedy: 'tell the operator the correlation_id: the event store is to be restored from a backup that has them',
};

const TOO_LARGE_TO_RECORD: Problem = {
  status: 422,
  code: 'too-large-to-record',
  detail: 'what would be recorded of this is larger than the event store takes',
  remedy: 'ask for less at once, or in fewer words',
};

/** What the router answers before there is a route. */
const UNREADABLE_PATHS: Readonly<Record<string, Problem>> = {
  FST_ERR_BAD_URL: {
    status: 400,
    code: 'malformed-request',
    detail: 'the path is not percent-encoded UTF-8',
    remedy: 'encode each part of the path by itself, as encodeURIComponent does',
  },
  FST_ERR_MAX_PARAM_LENGTH: {
    status: 400,
    code: 'malformed-request',
    detail: 'a part of the path is longer than any id or name',
    remedy: 'send an id that an answer named',
  },
};

/** Answers every error as `application/problem+json` (RFC 9457). What isn't a refusal is logged and told nothing of. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    this.answer(error, request, host.switchToHttp().getResponse<FastifyReply>());
  }

  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const problem = problemOf(error, request);
    this.tell(error, problem, request);
    if (reply.sent) {
      // Part of the answer is out already: what is missing must be visible as a broken transfer.
      reply.raw.destroy();
      return;
    }
    void reply
      .headers(problem.headers ?? {})
      .status(problem.status)
      .type('application/problem+json')
      .send(problemDocument(problem, request.id));
  }

  private tell(error: unknown, { code, detail }: Problem, request: FastifyRequest): void {
    const fields = { error, correlationId: request.id };
    if (code === 'internal') this.logger.error(fields, 'a request failed for a reason of our own');
    if (WARNED_OF.includes(code)) this.logger.warn(fields, `a request was refused: ${detail}`);
  }
}

export function problemDocument({ status, code, detail, remedy, facts }: Problem, correlationId: string): object {
  return {
    type: `urn:problem:${code}`,
    title: TITLES[status] ?? 'Refused',
    status,
    detail,
    code,
    correlation_id: correlationId,
    ...(remedy !== undefined && { remedy }),
    ...facts,
    error: detail,
  };
}

function problemOf(error: unknown, request: FastifyRequest): Problem {
  if (error instanceof DomainError) {
    const { code, message, remedy, facts } = error;
    return { status: STATUS[error.kind], code, detail: message, remedy, facts };
  }
  if (error instanceof EdgeRefusal) {
    const { status, code, message, remedy, facts, headers } = error;
    return { status, code, detail: message, remedy, facts, headers };
  }
  if (error instanceof EventStoreAway) return awayProblem('event-store-away', error.message, request);
  if (isDatabaseAway(error)) return awayProblem('database-away', 'the database does not answer just now', request);
  if (error instanceof StreamDeleted) return STREAM_DELETED;
  if (error instanceof AppendTooLarge) return TOO_LARGE_TO_RECORD;
  const given = error instanceof HttpException ? error.getStatus() : statusOf(error);
  // Who asks Swagger's files for what lies outside their folder.
  const status = given === FORBIDDEN ? NOT_FOUND : given;
  if (status >= INTERNAL) {
    const remedy = 'tell the operator the correlation_id; the log says more';
    return { status: INTERNAL, code: 'internal', detail: 'something went wrong on our side', remedy };
  }
  return UNREADABLE_PATHS[codeOf(error)] ?? { status, ...wordsFor(status) };
}

/** Fastify's own errors have a code. */
function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code);
}

function awayProblem(code: string, detail: string, request: FastifyRequest): Problem {
  return { status: UNAVAILABLE, code, detail, remedy: remedyFor(request), headers: { 'retry-after': '1' } };
}

/** What was to be changed may be changed all the same; only what takes a key changes anything that must not happen twice. */
function remedyFor({ headers, routeOptions }: FastifyRequest): string {
  if (routeOptions.config.takesKey !== true) return 'ask again in a moment';
  return headers['idempotency-key'] === undefined
    ? 'it may have been done all the same: look before you ask again, and send an Idempotency-Key the next time'
    : 'ask again with the same Idempotency-Key: what was done is recognised';
}

/** Fastify's own errors (unreadable JSON, too large, wrong media type) carry their status. */
function statusOf(error: unknown): number {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : INTERNAL;
}

function wordsFor(status: number): { code: string; detail: string; remedy: string } {
  switch (status) {
    case NOT_FOUND:
      return {
        code: 'unknown-route',
        detail: 'there is no such route',
        remedy: 'GET /swagger shows the routes there are',
      };
    case 413:
      return { code: 'request-too-large', detail: 'the request is too large', remedy: 'send at most 1 MiB' };
    case 415:
      return {
        code: 'unsupported-media-type',
        detail: 'the body must be application/json',
        remedy: 'send JSON, and say so with Content-Type: application/json',
      };
    default:
      return {
        code: 'malformed-request',
        detail: 'the request could not be read; is its body JSON?',
        remedy: 'send one JSON object in UTF-8',
      };
  }
}
