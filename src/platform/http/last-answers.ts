import type { FastifyInstance } from 'fastify';

import { until } from '#platform/clock/until';

/** Longer than a command waits for what it did to be readable: whoever is answered in time hears it. */
const ANSWERED_WITHIN_MS = 3000;

/** Whoever asked before a clean stop is answered before the connections are closed, unless that takes long, as downloads do. */
export function answerBeforeClosing(fastify: FastifyInstance, withinMs = ANSWERED_WITHIN_MS): void {
  let unanswered = 0;
  fastify.addHook('onRequest', (_request, reply, done) => {
    unanswered += 1;
    reply.raw.once('close', () => {
      unanswered -= 1;
    });
    done();
  });
  fastify.addHook('preClose', async () => {
    await until(() => Promise.resolve(unanswered === 0 ? true : null), withinMs);
  });
}
