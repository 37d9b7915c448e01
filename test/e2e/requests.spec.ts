import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Json } from '../kit/api-client.js';
import { EventListener } from '../kit/event-listener.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';

interface Operation {
  readonly requestBody?: unknown;
}

const { paths } = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
/** Every route that changes something and takes no body, for something that isn't there. */
const BODILESS = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([method, { requestBody }]) => method !== 'get' && requestBody === undefined)
    .map(([method]) => ({ method: method.toUpperCase(), path: path.replaceAll(/\{\w+\}/g, 'none') })),
);
const NAMES = BODILESS.map(({ method, path }) => [`${method} ${path}`, { method, path }] as const);

describe('what requests bring', () => {
  let oma: RunningOma;

  beforeAll(async () => {
    oma = await runningOma();
  }, 60_000);

  afterAll(async () => {
    await oma.clear();
  });

  const send = async (
    { method, path }: (typeof BODILESS)[number],
    body: RequestInit['body'],
    headers: Record<string, string> = {},
  ) => {
    const auth = { authorization: `Bearer ${oma.api.token}` };
    const init = { method, body: body ?? null, headers: { ...auth, ...headers }, duplex: 'half' as const };
    const response = await fetch(`${oma.api.url}${path}`, init);
    return { status: response.status, body: (await response.json()) as Json };
  };
  const JSON_TYPE = { 'content-type': 'application/json' };
  const elsewhere = BODILESS.filter(({ path }) => !path.endsWith('/logout'));

  it.each(NAMES)('%s names what it does not know in a body', async (_name, route) => {
    expect(BODILESS.length).toBeGreaterThan(8);
    const answer = await send(route, JSON.stringify({ verified: true, deep: {} }), JSON_TYPE);
    expect(answer).toMatchObject({
      status: 400,
      body: {
        code: 'malformed-request',
        errors: [
          { field: 'verified', message: 'is not known here' },
          { field: 'deep', message: 'is not known here' },
        ],
      },
    });
    for (const sent of ['[]', 'null', '"cancel"']) {
      expect(await send(route, sent, JSON_TYPE)).toMatchObject({
        status: 400,
        body: { errors: [{ field: '(body)' }] },
      });
    }
  });

  it('takes an empty body for none, whatever it is said to be and however it comes', async () => {
    const types = ['application/json', 'application/x-www-form-urlencoded', 'text/plain'];
    for (const route of elsewhere) {
      const without = await send(route, null);
      expect([404, 422]).toContain(without.status);
      for (const type of types) {
        for (const empty of ['', new Blob([]).stream()]) {
          const { status, body } = await send(route, empty, { 'content-type': type });
          expect({ route, type, status, code: body['code'] }).toEqual({
            ...{ route, type },
            ...{ status: without.status, code: without.body['code'] },
          });
        }
      }
      expect((await send(route, '{}', JSON_TYPE)).status).toBe(without.status);
    }
  });

  it.each(['/projections', '/projections/job', '/vm-contexts/none', '/backup/none', '/repositories/none/storage'])(
    'GET %s names what it does not know in the address',
    async (path) => {
      expect(await oma.api.get(`${path}?limit=5`)).toMatchObject({
        status: 400,
        body: { code: 'malformed-request', errors: [{ field: 'limit', message: 'is not known here' }] },
      });
    },
  );

  it('names what it does not know in the address of a command', async () => {
    for (const path of ['/jobs/none/cancel', '/users']) {
      expect(await oma.api.post(`${path}?force=true`)).toMatchObject({
        status: 400,
        body: { errors: [{ field: 'force', message: 'is not known here' }] },
      });
    }
  });

  it('tells strangers nothing of what a body should look like', async () => {
    const { status } = await oma.api.as('').post('/jobs/none/cancel', { nonsense: true });
    expect(status).toBe(401);
  });

  it('wants an object where a body is needed and none came', async () => {
    expect(await oma.api.post('/users', '')).toMatchObject({ status: 400, body: { errors: [{ field: '(body)' }] } });
  });

  it('takes null for what is left out', async () => {
    const config = { path: `${oma.dataDir}/nulls` };
    const nothing = {
      enabled: null,
      is_immutable: null,
      min_retention_days: null,
      bandwidth_limit_bytes_per_second: null,
    };
    const made = await oma.api.post('/repositories', { name: 'nulls', type: 'local', config, ...nothing });
    expect(made).toMatchObject({ status: 201, body: { enabled: true, is_immutable: false, min_retention_days: 0 } });
    const unnamed = await oma.api.post('/repositories', { name: null, type: 'local', config: { path: null } });
    expect(unnamed).toMatchObject({ status: 400, body: { errors: [{ field: 'name' }, { field: 'config.path' }] } });
    expect(await oma.api.post('/discovery/discover-vms', { credential_id: null })).toMatchObject({
      status: 400,
      body: { errors: expect.arrayContaining([expect.objectContaining({ field: 'vcenter' })]) },
    });
  });

  it('compares moments of any time zone, also of one that the database does not know', async () => {
    for (const moment of [
      '2026-01-01T00:00:00%2B23:59',
      '2026-01-01T00:00:00.123456789Z',
      '9999-12-31T23:59:59-23:59',
    ]) {
      expect({ moment, status: (await oma.api.get(`/audit?from=${moment}`)).status }).toEqual({ moment, status: 200 });
    }
  });

  it('reads no body that is not UTF-8', async () => {
    const route = { method: 'POST', path: '/api/v1/users' };
    const body = Buffer.from('{"username":"j\xfcrgen","password":"a-long-password","role":"viewer"}', 'latin1');
    expect(await send(route, body, JSON_TYPE)).toMatchObject({ status: 400, body: { code: 'malformed-request' } });
  });

  it.each([
    ['UTF-8', Buffer.from('für die Prüfung 🔍').toString('latin1')],
    ['ISO 8859-1', 'für die Prüfung'],
  ])('keeps a reason in %s as it was meant', async (encoding, written) => {
    const user = {
      username: `reason-${encoding.toLowerCase().replaceAll(' ', '-')}`,
      password: 'a-long-password',
      role: 'viewer',
    };
    const { headers } = await oma.api.post('/users', user, { 'x-reason': written });
    const { body } = await oma.api.get<{ events: Json[] }>('/audit?limit=1&type=UserCreated', {
      'x-min-position': headers.get('x-event-position') ?? '',
    });
    expect(String(body.events[0]?.['reason'])).toMatch(/^für die Prüfung( 🔍)?$/);
  });

  it.each([
    ['no HTTP', 'nonsense\r\n\r\n', 400, 'malformed-request'],
    [
      'headers beyond 16 KiB',
      `GET / HTTP/1.1\r\nhost: oma\r\nx-much: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
  ])('answers %s with a problem, too', async (_what, request, status, code) => {
    const { hostname, port } = new URL(oma.api.url);
    const socket = connect(Number(port), hostname);
    socket.write(request);
    const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
    expect(head).toContain(`HTTP/1.1 ${status} `);
    expect(head).toContain('content-type: application/problem+json');
    expect(JSON.parse(body)).toMatchObject({
      status,
      code,
      correlation_id: expect.any(String),
      remedy: expect.any(String),
    });
  });

  it('waits for ever for no body that trickles in, and cuts no answer that goes on', async () => {
    const listener = await EventListener.open(oma.api);
    const { hostname, port } = new URL(oma.api.url);
    const socket = connect(Number(port), hostname);
    socket.write('POST /api/v1/auth/login HTTP/1.1\r\nhost: oma\r\ncontent-type: application/json\r\n');
    socket.write('content-length: 100000\r\n\r\n{');
    const trickle = setInterval(() => socket.writable && socket.write(' '), 200);
    const answer = await text(socket).finally(() => {
      clearInterval(trickle);
    });
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toContain('HTTP/1.1 408 ');
    expect(JSON.parse(body)).toMatchObject({ status: 408, code: 'request-too-slow' });
    expect(listener.isOver).toBe(false);
    await listener.cut();
  }, 60_000);

  it('does not shorten a reason in silence', async () => {
    const user = (username: string) => ({ username, password: 'a-long-password', role: 'viewer' });
    expect((await oma.api.post('/users', user('long'), { 'x-reason': 'x'.repeat(500) })).status).toBe(201);
    expect(await oma.api.post('/users', user('longer'), { 'x-reason': 'x'.repeat(501) })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'X-Reason', message: 'must have at most 500 characters' }] },
    });
  });
});
