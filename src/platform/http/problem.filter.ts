import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { DomainError, type RefusalKind } from '#domain/kernel/domain-error';
import type { JsonObject } from '#domain/kernel/event';
import { EventStoreAway } from '#platform/event-store/event-store.port';
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
  409: 'Conflict',
  410: 'Gone',
  412: 'Changed meanwhile',
  413: 'Request too large',
  415: 'Unsupported media type',
  416: 'Range not satisfiable',
  422: 'Not possible',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Not available',
};

const INTERNAL = 500;
const UNAVAILABLE = 503;

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly remedy?: string | undefined;
  readonly facts?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
}

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
    const problem = problemOf(error);
    if (problem.status >= INTERNAL && !(error instanceof DomainError)) {
      this.logger.error({ error, correlationId: request.id }, 'a request failed for a reason of our own');
    }
    if (reply.sent) {
      // Part of the answer is out already: what is missing must be visible as a broken transfer.
      reply.raw.destroy();
      return;
    }
    void reply
      .headers(problem.headers ?? {})
      .status(problem.status)
      .type('application/problem+json')
      .send({
        type: `urn:problem:${problem.code}`,
        title: TITLES[problem.status] ?? 'Refused',
        status: problem.status,
        detail: problem.detail,
        code: problem.code,
        correlation_id: request.id,
        ...(problem.remedy !== undefined && { remedy: problem.remedy }),
        ...problem.facts,
        error: problem.detail,
      });
  }
}

function problemOf(error: unknown): Problem {
  if (error instanceof DomainError) {
    const { code, message, remedy, facts } = error;
    return { status: STATUS[error.kind], code, detail: message, remedy, facts };
  }
  if (error instanceof EdgeRefusal) {
    const { status, code, message, remedy, facts, headers } = error;
    return { status, code, detail: message, remedy, facts, headers };
  }
  if (error instanceof EventStoreAway) {
    const remedy = 'ask again with the same Idempotency-Key: what was done is recognised';
    const headers = { 'retry-after': '1' };
    return { status: UNAVAILABLE, code: 'event-store-away', detail: error.message, remedy, headers };
  }
  const status = error instanceof HttpException ? error.getStatus() : statusOf(error);
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

/** Fastify's own errors (unreadable JSON, too large, wrong media type) carry their status. */
function statusOf(error: unknown): number {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : INTERNAL;
}

function wordsFor(status: number): { code: string; detail: string; remedy: string } {
  switch (status) {
    case 404:
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
