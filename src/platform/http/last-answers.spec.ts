import { Agent, get } from 'node:http';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';

import { answerBeforeClosing } from './last-answers.js';

const WITHIN_MS = 200;

/** Status and connection of the answer, or why there was none. */
function statusOf(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    get(url, { agent }, (response) => {
      response.resume();
      resolve(`${String(response.statusCode)} ${response.headers.connection ?? ''}`);
    }).on('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(String(code));
    });
  });
}

describe('who asked before a stop', () => {
  let app: FastifyInstance;
  let url: string;
  let answer: () => void;
  let asked: Promise<void>;

  beforeEach(async () => {
    app = fastify({ forceCloseConnections: true });
    answerBeforeClosing(app, WITHIN_MS);
    let isAsked: () => void;
    asked = new Promise((resolve) => {
      isAsked = resolve;
    });
    app.get('/slow', (_request, reply) => {
      answer = () => void reply.send('the answer');
      isAsked();
    });
    url = await app.listen({ port: 0, host: '127.0.0.1' });
  });

  afterEach(() => app.close());

  it('is answered before the connection is closed', async () => {
    const asking = fetch(`${url}/slow`);
    await asked;
    const closed = app.close();
    setTimeout(answer, WITHIN_MS / 4);
    expect(await (await asking).text()).toBe('the answer');
    await closed;
  });

  it('is cut off when the answer takes too long', async () => {
    const asking = fetch(`${url}/slow`).catch(() => 'cut off');
    await asked;
    await app.close();
    expect(await asking).toBe('cut off');
  });

  it('is let go of with the answer, and nobody new is let in, so that who asks without a pause is through', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const asking = statusOf(`${url}/slow`, agent);
    await asked;
    const next = statusOf(`${url}/slow`, agent);
    const closed = app.close();
    setTimeout(answer, WITHIN_MS / 4);
    expect(await asking).toBe('200 close');
    expect(await next).toBe('ECONNREFUSED');
    await closed;
    agent.destroy();
  });

  it('and went away is not waited for', async () => {
    const leaving = new AbortController();
    const asking = fetch(`${url}/slow`, { signal: leaving.signal }).catch(() => 'gone');
    await asked;
    leaving.abort();
    await asking;
    const began = performance.now();
    await app.close();
    expect(performance.now() - began).toBeLessThan(WITHIN_MS);
  });
});
