import { Readable } from 'node:stream';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';

import { answerHeads } from './head-requests.js';

describe('who asks for the head of an answer', () => {
  let app: FastifyInstance;
  let url: string;
  let body: Readable;

  beforeEach(async () => {
    app = fastify({ forceCloseConnections: true });
    answerHeads(app);
    app.get('/stream', (_request, reply) => {
      body = new Readable({
        read() {
          setImmediate(() => this.push('x'));
        },
      });
      return reply.header('content-length', '7000').send(body);
    });
    app.get('/short', (_request, reply) => reply.send(Readable.from(['short'])));
    app.get('/text', (_request, reply) => reply.send('text'));
    url = await app.listen({ port: 0, host: '127.0.0.1' });
  });

  afterEach(async () => {
    body.destroy();
    await app.close();
  });

  it('gets its headers, and nothing goes on being made for the body', async () => {
    const { status, headers } = await fetch(`${url}/stream`, { method: 'HEAD' });
    expect([status, headers.get('content-length')]).toEqual([200, '7000']);
    expect(body.destroyed).toBe(true);
  });

  it('gets the length of a text, and others their answers, as ever', async () => {
    body = Readable.from([]);
    expect((await fetch(`${url}/text`, { method: 'HEAD' })).headers.get('content-length')).toBe('4');
    expect(await (await fetch(`${url}/short`)).text()).toBe('short');
  });
});
