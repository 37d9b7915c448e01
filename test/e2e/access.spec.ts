import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { eventually } from '../kit/eventually.js';
import { ADMIN_PASSWORD, runningOma, type RunningOma } from '../kit/running-oma.js';

describe('access', () => {
  let oma: RunningOma;

  beforeAll(async () => {
    oma = await runningOma();
  }, 60_000);

  afterAll(async () => {
    await oma.clear();
  });

  const logIn = (username: string, password: string) => oma.api.as('').post('/auth/login', { username, password });

  it('gives a token for the right password, in the words of the contract', async () => {
    const { status, body } = await logIn('admin', ADMIN_PASSWORD);
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      session_token: expect.stringMatching(/^[\w-]{43}$/),
      expires_at: expect.stringMatching(/Z$/),
    });
  });

  it('refuses a wrong password and an unknown user alike', async () => {
    const answers = await Promise.all([logIn('admin', 'wrong'), logIn('nobody', 'wrong')]);
    for (const { status, body } of answers) {
      expect(status).toBe(401);
      expect(body).toMatchObject({ success: false, code: 'login-failed', error_message: expect.any(String) });
    }
    expect(answers[0].body['detail']).toBe(answers[1].body['detail']);
  });

  it('closes the door for an account after ten failures, and says for how long', async () => {
    await Promise.all(Array.from({ length: 10 }, () => logIn('guessed', 'wrong')));
    const { status, headers, body } = await logIn('guessed', 'wrong');
    expect(status).toBe(429);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(body['code']).toBe('too-many-attempts');
  });

  it('counts the failures of an account however its name is written', async () => {
    const ways = [
      'sought',
      'SOUGHT',
      ' sought',
      'sought ',
      '\uff53ought',
      'Sought',
      'soughT',
      '  sought',
      'sOught',
      'soUght',
    ];
    await Promise.all(ways.map((name) => logIn(name, 'wrong')));
    expect((await logIn('sought', 'wrong')).body['code']).toBe('too-many-attempts');
  });

  it('lets nobody in without a token, with a wrong one, or after logging out', async () => {
    const { body } = await logIn('admin', ADMIN_PASSWORD);
    const mine = oma.api.as(String(body['session_token']));
    expect((await mine.get('/vm-contexts')).status).toBe(200);
    expect((await mine.post('/auth/logout')).status).toBe(200);
    for (const api of [mine, oma.api.as(''), oma.api.as('x'.repeat(43))]) {
      const { status, headers, body: problem } = await api.get('/vm-contexts');
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toBe('Bearer');
      expect(headers.get('content-type')).toContain('application/problem+json');
      expect(problem).toMatchObject({
        type: 'urn:problem:unauthenticated',
        status: 401,
        correlation_id: expect.any(String),
      });
    }
  });

  it('keeps each role to what it may do', async () => {
    const created = await oma.api.post('/users', { username: 'vera', password: 'a-long-password', role: 'viewer' });
    expect(created.status).toBe(201);
    const { body } = await logIn('vera', 'a-long-password');
    const vera = oma.api.as(String(body['session_token']));
    expect((await vera.get('/vm-contexts')).status).toBe(200);
    const refused = await vera.post('/repositories', { name: 'x', type: 'local', config: { path: '/srv/x' } });
    expect(refused.status).toBe(403);
    expect(refused.body['code']).toBe('role-does-not-suffice');
    expect((await vera.get('/users')).status).toBe(403);
  });

  it('offers the roles that users may have, and no other', async () => {
    const { components } = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as {
      components: { schemas: { CreateUserRequest: { properties: { role: { enum: string[] } } } } };
    };
    const offered = components.schemas.CreateUserRequest.properties.role.enum;
    const create = (role: string) =>
      oma.api.post('/users', { username: `one-as-${role}`, password: 'a-long-password', role });
    const answers = await Promise.all(offered.map(create));
    expect(answers.map(({ status }) => status)).toEqual(offered.map(() => 201));
    const { status, body } = await create('king');
    expect(status).toBe(400);
    const message = 'must be one of the following values: viewer, operator, admin';
    expect(body['errors']).toEqual([{ field: 'role', message }]);
  });

  it('gives no user the role of appliances, and nothing to one that was given it by an earlier version', async () => {
    const user = { username: 'vma', password: 'a-long-password', role: 'agent' };
    const refused = await oma.api.post('/users', user);
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({ code: 'role-is-for-appliances', remedy: expect.any(String) });
    expect((await logIn('vma', 'a-long-password')).status).toBe(401);
    await oma.api.post('/users', { ...user, role: 'viewer' });
    const { body } = await logIn('vma', 'a-long-password');
    const token = oma.api.as(String(body['session_token']));
    const ask = () => token.get('/backups/changeid?vm_name=web-01&disk_id=0');
    expect((await ask()).status).toBe(403);
    const database = new pg.Client({ connectionString: oma.databaseUrl });
    await database.connect();
    await database.query(`update app_user set role = 'agent' where username = 'vma'`);
    await database.end();
    expect((await ask()).status).toBe(401);
  });

  it('gives a name to one user only, without regard to case', async () => {
    const zoe = { username: 'Zoé', password: 'a-long-password', role: 'operator' };
    const answers = await Promise.all([zoe, { ...zoe, username: 'zoé' }].map((user) => oma.api.post('/users', user)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  it('names each field that is wrong', async () => {
    const { status, body } = await oma.api.post('/users', { username: 5, password: 'short', role: 'king', shoe: 44 });
    expect(status).toBe(400);
    const fields = (body['errors'] as { field: string }[]).map(({ field }) => field);
    expect(fields.sort()).toEqual(['password', 'role', 'shoe', 'username']);
  });

  it('tells a field that is missing from one that is wrong', async () => {
    const { body } = await oma.api.post('/users', { username: 5, role: 'viewer' });
    expect(body['errors']).toEqual(
      expect.arrayContaining([
        { field: 'username', message: 'must be a string' },
        { field: 'password', message: 'is missing: must be a string' },
      ]),
    );
  });

  it.each(['{', '[]', '"text"', 'null'])('refuses the body %s', async (body) => {
    const answer = await oma.api.post('/users', body);
    expect(answer.status).toBe(400);
    expect(answer.body['code']).toBe('malformed-request');
  });

  it.each([{}, { 'idempotency-key': 'deep' }])(
    'refuses a body that is nested without end, with the headers %j',
    async (headers) => {
      const depth = 100_000;
      const answer = await oma.api.post('/users', `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`, headers);
      expect({ status: answer.status, code: answer.body['code'] }).toEqual({ status: 400, code: 'malformed-request' });
    },
  );

  it.each([
    '/jobs/%00',
    '/backup/%00',
    '/vm-contexts/a%00b',
    '/restore/%00/files',
    '/repositories/%00/storage',
    `/jobs?cursor=${Buffer.from('["yesterday","x"]').toString('base64url')}`,
    `/backup/list?cursor=${Buffer.from('["2026-13-41T00:00:00.000Z","x"]').toString('base64url')}`,
    `/audit?cursor=${Buffer.from('[7]').toString('base64url')}`,
    `/audit?cursor=${Buffer.from('["a"]').toString('base64url')}`,
    '/audit?from=2026-13-41T00:00:00Z',
    '/audit?from=2026-W01',
    '/audit?from=2026-01-31',
    '/audit?from=2026-01-31T12:00:00',
    '/jobs?limit=1&limit=2',
    '/jobs?limit=1e3',
    '/jobs?vm_context_id=%00',
  ])('refuses %s as malformed', async (path) => {
    const { status, body } = await oma.api.get(path);
    expect({ status, code: body['code'] }).toEqual({ status: 400, code: 'malformed-request' });
  });

  it('refuses text that no database can keep', async () => {
    for (const username of ['a\\u0000b', 'a\\ud800b']) {
      const answer = await oma.api.post(
        '/users',
        `{"username":"${username}","password":"a-long-password","role":"viewer"}`,
      );
      expect({ username, status: answer.status }).toEqual({ username, status: 400 });
    }
  });

  it('answers what has no route with a problem document', async () => {
    const { status, body } = await oma.api.get('/nowhere');
    expect(status).toBe(404);
    expect(body).toMatchObject({ code: 'unknown-route', remedy: expect.any(String) });
  });

  it.each(['/jobs/%ff', '/jobs/%E0%A4%A', `/jobs/${'x'.repeat(5000)}`])(
    'answers a path that can not be read with a problem document: %s',
    async (path) => {
      const { status, headers, body } = await oma.api.get(path);
      expect(status).toBe(400);
      expect(headers.get('content-type')).toContain('application/problem+json');
      expect(body).toMatchObject({
        code: 'malformed-request',
        detail: expect.stringContaining('path'),
        correlation_id: headers.get('x-correlation-id'),
        remedy: expect.any(String),
      });
    },
  );

  it.each([
    ['text/xml', '<user/>', 415],
    ['text/plain', '{}', 415],
    ['application/x-www-form-urlencoded', 'username=form&password=a-long-password&role=viewer', 415],
    ['application/json', ' '.repeat(1024 * 1024 + 1), 413],
    ['application/json', '{"a":', 400],
  ])('says what to send instead of %s', async (type, sent, expected) => {
    const { status, body } = await oma.api.post('/users', sent, { 'content-type': type });
    expect({ status, remedy: body['remedy'] }).toEqual({ status: expected, remedy: expect.any(String) });
  });

  it('takes bodies that are said to be plain, and none that is compressed, whatever it holds', async () => {
    const sendAs = (encoding: string, username: string) =>
      oma.api.post(
        '/users',
        { username, password: 'a-long-password', role: 'viewer' },
        { 'content-encoding': encoding },
      );
    expect(await sendAs('gzip', 'packed')).toMatchObject({
      status: 415,
      body: { code: 'unsupported-media-type', remedy: expect.stringContaining('Content-Encoding') },
    });
    expect(await sendAs('identity', 'plain')).toMatchObject({ status: 201 });
  });

  it('tells everybody its health, at the root too, and nothing else', async () => {
    for (const path of ['/health', '/health?from=balancer', '/api/v1/health']) {
      const response = await fetch(`${oma.api.url}${path}`);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ status: 'healthy' });
    }
  });

  it('answers the correlation id of the caller, and leaves it in the audit trail', async () => {
    const { headers } = await oma.api.post(
      '/users',
      { username: 'traced', password: 'a-long-password', role: 'viewer' },
      { 'x-correlation-id': 'ticket-4711', 'x-reason': 'new colleague' },
    );
    expect(headers.get('x-correlation-id')).toBe('ticket-4711');
    await eventually(async () => {
      const { body } = await oma.api.get<{ events: Record<string, unknown>[] }>('/audit?correlation=ticket-4711');
      expect(body.events).toEqual([
        expect.objectContaining({
          type: 'UserCreated',
          actor: { kind: 'user', id: expect.any(String), name: 'admin' },
          reason: 'new colleague',
          caused_by: { command_id: expect.any(String) },
        }),
      ]);
    });
  });

  it('gives the same Idempotency-Key the first answer, and refuses it for another request', async () => {
    const key = { 'idempotency-key': 'key-1' };
    const user = { username: 'once', password: 'a-long-password', role: 'viewer' };
    const first = await oma.api.post('/users', user, key);
    const again = await oma.api.post('/users', user, key);
    expect(first.status).toBe(201);
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const other = await oma.api.post('/users', { ...user, username: 'another' }, key);
    expect([other.status, other.body['code']]).toEqual([422, 'idempotency-key-reused']);
  });
});
