import { describe, expect, it } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { AppendTooLarge, InvalidAppend, StreamDeleted } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

import { ReadModelsBehind } from './edge.errors.js';
import { ProblemFilter } from './problem.filter.js';

/** What is answered, and what the log says of it. */
function answered(error: unknown) {
  const logged: string[] = [];
  const log = (level: string) => (_fields: object, line: string) => {
    logged.push(`${level}: ${line}`);
  };
  const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  let body: Readonly<Record<string, unknown>> = {};
  const reply = {
    headers: () => reply,
    status: () => reply,
    type: () => reply,
    send: (sent: Readonly<Record<string, unknown>>) => {
      body = sent;
    },
  };
  const request = { id: 'r1', headers: {}, routeOptions: { config: {} } };
  new ProblemFilter(logger).answer(error, request as FastifyRequest, reply as unknown as FastifyReply);
  return { body, logged };
}

describe('the answer to an error', () => {
  it('tells nobody of folders that they may not look into', () => {
    const { body } = answered(Object.assign(new Error('Forbidden'), { statusCode: 403 }));
    expect(body).toMatchObject({ status: 404, code: 'unknown-route' });
  });

  it('is no fault of ours when it only asks for patience, and the log says nothing of it', () => {
    const { body, logged } = answered(new ReadModelsBehind());
    expect(body).toMatchObject({ status: 503, code: 'read-models-behind' });
    expect(logged).toEqual([]);
  });

  it.each([
    [new StreamDeleted('user-secret'), 409, 'stream-deleted'],
    [new AppendTooLarge('an append has at most 12345 bytes'), 422, 'too-large-to-record'],
  ])('names what the log refused (%s) with a remedy, and says more in the log alone', (error, status, code) => {
    const { body, logged } = answered(error);
    expect(body).toMatchObject({ status, code, remedy: expect.any(String) as unknown });
    expect(JSON.stringify(body)).not.toMatch(/user-secret|12345/);
    expect(logged).toEqual([`warn: a request was refused: ${String(body['detail'])}`]);
  });

  it('takes an append that breaks another rule for a fault of ours', () => {
    const { body, logged } = answered(new InvalidAppend('the events of one append need ids of their own'));
    expect(body).toMatchObject({ status: 500, code: 'internal' });
    expect(logged).toEqual(['error: a request failed for a reason of our own']);
  });

  it('says in the log that something went wrong, and to the caller only that', () => {
    const { body, logged } = answered(new Error('select password from vault'));
    expect(body).toMatchObject({ status: 500, code: 'internal' });
    expect(JSON.stringify(body)).not.toContain('vault');
    expect(logged).toEqual(['error: a request failed for a reason of our own']);
  });
});
