import type { FastifyInstance } from 'fastify';

import type { Metrics } from '#platform/metrics/metrics.port';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Measures every request by its route's template, never by its address: paths and queries hold names. */
export function measureRequests(fastify: FastifyInstance, metrics: Metrics): void {
  const seconds = metrics.spread(
    {
      name: 'oma_http_request_duration_seconds',
      help: 'How long answers took until their last byte; route "unknown" is what no route fits',
      labels: ['method', 'route', 'status'],
    },
    SECONDS,
  );
  fastify.addHook('onResponse', (request, reply, done) => {
    const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');
    seconds.observe(reply.elapsedTime / 1000, { method: request.method, route, status: String(reply.statusCode) });
    done();
  });
}
