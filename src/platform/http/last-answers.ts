import type { FastifyInstance } from 'fastify';

import { until } from '#platform/clock/until';

/** Longer than a command waits for what it did to be readable: whoever is answered in time hears it. */
const ANSWERED_WITHIN_MS = 3000;

/**
 * Whoever asked before a clean stop is answered before the connections are closed, unless that takes long, as downloads do. From its
 * beginning nobody new is let in, and with its next answer each connection ends: who asks without a pause would never be through.
 */
export function answerBeforeClosing(fastify: FastifyInstance, withinMs = ANSWERED_WITHIN_MS): void {
  let unanswered = 0;
  let isStopping = false;
  fastify.addHook('onRequest', (_request, reply, done) => {
    unanswered += 1;
    reply.raw.once('close', () => {
      unanswered -= 1;
    });
    done();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (isStopping) void reply.header('connection', 'close');
    done(null, payload);
  });
  fastify.addHook('preClose', async () => {
    isStopping = true;
    fastify.server.close();
    await until(() => Promise.resolve(unanswered === 0 ? true : null), withinMs);
  });
}
