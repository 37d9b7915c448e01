import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { newId } from '#platform/ids/ids';

import type { Principal } from './access.js';
import { MalformedRequest } from './edge.errors.js';
import { CALLERS_ID, MAX_REASON } from './request-headers.js';

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

declare module 'fastify' {
  interface FastifyRequest {
    principal?: Principal;
    /** Of a request that may be repeated: every repeat has the same. */
    commandId?: string;
  }
}

/** The caller's own correlation id when it is one, else a new one. It is answered as `X-Correlation-Id`. */
export function correlationIdOf(headers: Readonly<Record<string, unknown>>): string {
  const given = headers['x-correlation-id'];
  return typeof given === 'string' && CALLERS_ID.test(given) ? given : newId();
}

/** The `Idempotency-Key`, or null; throws MalformedRequest when it isn't one. */
export function idempotencyKeyOf(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && CALLERS_ID.test(key)) return key;
  throw new MalformedRequest([{ field: 'Idempotency-Key', message: 'must be 1 to 128 of A-Z a-z 0-9 _ . : -' }]);
}

/** The `X-Reason`, empty without one. Throws MalformedRequest. */
function reasonOf(request: FastifyRequest): string {
  const given = request.headers['x-reason'];
  const reason = typeof given === 'string' ? textOf(given) : '';
  if (reason.length <= MAX_REASON) return reason;
  throw new MalformedRequest([{ field: 'X-Reason', message: `must have at most ${MAX_REASON} characters` }]);
}

/** Node takes each byte of a header for a character, as some callers do; most write UTF-8. */
function textOf(header: string): string {
  try {
    return UTF_8.decode(Buffer.from(header, 'latin1'));
  } catch {
    return header;
  }
}

function commandContext(request: FastifyRequest): CommandContext {
  const { principal } = request;
  if (principal === undefined) throw new Error('a command needs somebody who asks');
  const commandId = request.commandId ?? newId();
  const { decisions: witness, precondition } = request;
  const reason = reasonOf(request);
  return {
    actor:
      principal.role === 'agent'
        ? { kind: 'appliance', id: principal.username }
        : { kind: 'user', id: principal.userId },
    correlationId: request.id,
    causationId: commandId,
    commandId,
    ...(reason !== '' && { reason }),
    ...(witness !== undefined && { witness }),
    ...(precondition !== undefined && { precondition }),
  };
}

/** Who asks, in which request, and why: `@Asking() context: CommandContext`. */
export const Asking = createParamDecorator((_: unknown, context: ExecutionContext) =>
  commandContext(context.switchToHttp().getRequest<FastifyRequest>()),
);
