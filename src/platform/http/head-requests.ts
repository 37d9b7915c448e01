import { Readable } from 'node:stream';

import type { FastifyInstance } from 'fastify';

/** Who asks for the head of an answer alone gets no body: a stream that it would be made of is let go of, not read to its end. */
export function answerHeads(fastify: FastifyInstance): void {
  fastify.addHook('onSend', (request, _reply, payload, done) => {
    if (request.method !== 'HEAD' || !(payload instanceof Readable)) {
      done(null, payload);
      return;
    }
    payload.on('error', () => undefined).destroy();
    done(null, Readable.from([]));
  });
}
