import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { errorCodes, type FastifyInstance, type FastifyRequest } from 'fastify';

import { CompressedBody, MalformedRequest } from './edge.errors.js';

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/** Bodies are JSON in UTF-8. An empty one is none, whatever its media type: many clients name one with every request. */
export function readBodies(fastify: FastifyInstance): void {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) {
      done(null);
      return;
    }
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
      done(new CompressedBody());
      return;
    }
    const text = textOf(body);
    if (text === null) done(new errorCodes.FST_ERR_CTP_INVALID_JSON_BODY());
    else void parse(request, text, done);
  });
  fastify.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(body.length === 0 ? null : new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE());
  });
}

function textOf(body: Buffer): string | null {
  try {
    return UTF_8.decode(body);
  } catch {
    return null;
  }
}

/** A route that takes no body, or no query, doesn't drop one in silence. */
@Injectable()
export class UnaskedGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { body, query, routeOptions } = context.switchToHttp().getRequest<FastifyRequest>();
    const { takesBody, takesQuery } = routeOptions.config;
    if (takesBody === false && body !== undefined) refuseMembers(body);
    if (takesQuery === false) refuseMembers(query);
    return true;
  }
}

function refuseMembers(given: unknown): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new MalformedRequest([{ field: '(body)', message: 'must be empty or {}' }]);
  }
  const unknown = Object.keys(given).map((field) => ({ field, message: 'is not known here' }));
  if (unknown.length > 0) throw new MalformedRequest(unknown);
}
