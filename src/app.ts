import type { IncomingMessage } from 'node:http';

import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { EventStreams } from './platform/event-stream/event-streams.js';
import { measureStreams } from './platform/event-stream/measured-streams.js';
import { withAnswers } from './platform/http/api-document.js';
import { readBodies } from './platform/http/bodies.js';
import { refuseDeepBody } from './platform/http/body-depth.js';
import { isUnmodified } from './platform/http/etag.js';
import { answerHeads } from './platform/http/head-requests.js';
import { answerBeforeClosing } from './platform/http/last-answers.js';
import { measureRequests } from './platform/http/measured-requests.js';
import { ProblemFilter } from './platform/http/problem.filter.js';
import { correlationIdOf } from './platform/http/request-context.js';
import { RequestPipe } from './platform/http/request.pipe.js';
import { refuseUnreadable } from './platform/http/unreadable-requests.js';
import type { Logger } from './platform/logging/logger.port.js';
import { Metrics } from './platform/metrics/metrics.port.js';

const BODY_LIMIT_BYTES = 1024 * 1024;
/** A body is 1 MiB at most: slower than some 35 KiB a second is nobody who means it. Answers may take as long as they like. */
const REQUEST_WITHIN_MS = 30_000;
const REQUESTS_LOOKED_AT_EVERY_MS = 5000;
const BASE = 'api/v1';
const NOT_MODIFIED = 304;

/** The HTTP edge: the same for the program and for its tests. */
export async function createApp(
  module: DynamicModule,
  logger: Logger,
  /** Whose word is taken for the address of whoever asks; of everybody else it is that of the connection. */
  trustedProxies: readonly string[] = [],
): Promise<NestFastifyApplication> {
  const problems = new ProblemFilter(logger);
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    requestTimeout: REQUEST_WITHIN_MS,
    // Node heeds a limit of requests only where that of headers is no longer.
    http: { headersTimeout: REQUEST_WITHIN_MS, connectionsCheckingInterval: REQUESTS_LOOKED_AT_EVERY_MS },
    rewriteUrl: (request: IncomingMessage) => oneAddress(request.url ?? '/'),
    genReqId: (request: IncomingMessage) => correlationIdOf(request.headers),
    forceCloseConnections: true,
    // Its own refusal is no problem document: until connections are closed, whoever asks is answered as ever.
    return503OnClosing: false,
    clientErrorHandler: refuseUnreadable,
    // Names of guests and of VMs are percent-encoded in paths and may be long.
    routerOptions: { maxParamLength: 4096 },
    // What the router can't read meets neither hooks nor filters.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      problems.answer(error, request, reply.headers(headersOf(request)));
    },
  });
  const fastify = adapter.getInstance();
  answerBeforeClosing(fastify);
  readBodies(fastify);
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.headers(headersOf(request));
    done();
  });
  fastify.addHook('preValidation', (request, _reply, done) => {
    refuseDeepBody(request.body);
    done();
  });
  answerHeads(fastify);
  fastify.addHook('onSend', (request, reply, payload, done) => {
    if (!isUnmodified(request, reply)) done(null, payload);
    else {
      void reply.code(NOT_MODIFIED).removeHeader('content-type').removeHeader('content-length');
      // Of an answer to HEAD Fastify drops the body itself, and wants one to measure.
      done(null, request.method === 'HEAD' ? payload : null);
    }
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const fields = {
      method: request.method,
      // The route, never the URL: paths and queries hold names.
      route: request.routeOptions.url,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      correlationId: request.id,
      user: request.principal?.userId,
    };
    logger.info(fields, 'answered');
    done();
  });
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: false,
    abortOnError: false,
    // Fastify reads JSON by itself; Nest's parsers would take forms as well.
    bodyParser: false,
  });
  measureRequests(fastify, app.get(Metrics));
  measureStreams(app.get(EventStreams), app.get(Metrics));
  app.setGlobalPrefix(BASE);
  app.useGlobalPipes(new RequestPipe());
  app.useGlobalFilters(problems);
  return app;
}

/** What every answer says. */
function headersOf(request: FastifyRequest): Readonly<Record<string, string>> {
  return { 'x-correlation-id': request.id, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
}

/** The API document of all routes. */
export function openApiOf(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('OMA')
    .setDescription(
      'Control plane of disaster recovery and backup. Every error is a problem document (RFC 9457). ' +
        'In the body of a request, null is the same as leaving a member out.',
    )
    .setVersion('1')
    .setOpenAPIVersion('3.1.0')
    .addSecurity('bearer', { type: 'http', scheme: 'bearer', description: 'the session_token of POST /auth/login' })
    .build();
  return withAnswers(SwaggerModule.createDocument(app, config));
}

/** Serves the API document and Swagger UI at `/swagger` (and, see `oneAddress`, below the base). */
export function serveSwagger(app: NestFastifyApplication): void {
  SwaggerModule.setup('swagger', app, openApiOf(app));
}

/** What probes and scrapers ask for. */
const AT_THE_ROOT = ['/health', '/ready', '/health/ready', '/metrics'];

/** These and Swagger stand both at the root and below the base: probes and people know nothing of versions. */
function oneAddress(url: string): string {
  const [path = ''] = url.split('?');
  if (AT_THE_ROOT.includes(path)) return `/${BASE}${url}`;
  return url.startsWith(`/${BASE}/swagger`) ? url.slice(BASE.length + 1) : url;
}
