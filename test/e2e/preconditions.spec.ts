import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';
import { POSITION_AHEAD } from '../kit/store-settings.js';

describe('reading what was written, and changing only what was seen', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;
  let users = 0;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21300-21349' });
    vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
  }, 60_000);

  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  });

  const createUser = (headers: Record<string, string> = {}) => {
    users += 1;
    return oma.api.post('/users', { username: `user-${users}`, password: 'a-long-password', role: 'viewer' }, headers);
  };
  const held = async (projection: string, meanwhile: () => Promise<void>) => {
    const client = new pg.Client({ connectionString: oma.databaseUrl });
    await client.connect();
    try {
      await client.query('begin');
      await client.query('select 1 from projection where name = $1 for update', [projection]);
      await meanwhile();
    } finally {
      await client.query('rollback');
      await client.end();
    }
  };

  it('every command answers with the position of what it decided, and reads wait for it', async () => {
    const { headers } = await createUser();
    const position = headers.get('x-event-position') ?? '';
    expect(position).toMatch(/^\S+$/);
    expect(headers.get('x-consistency')).toBeNull();
    const { status, body } = await oma.api.get<{ users: { username: string }[] }>('/users', {
      'x-min-position': position,
    });
    expect(status).toBe(200);
    expect(body.users.map(({ username }) => username)).toContain(`user-${users}`);
  });

  it('commands that decide nothing and logins answer with a position all the same', async () => {
    const again = await oma.api.post('/discovery/add-vms', {
      credential_id: vm.credentialId,
      vm_names: ['db-01'],
    });
    const login = await oma.api.post('/auth/login', { username: 'admin', password: 'canary-admin-password' });
    for (const { status, headers } of [again, login]) {
      expect(status).toBe(200);
      expect(headers.get('x-event-position')).toMatch(/^\S+$/);
    }
  });

  it('who comes too early is told when to come again, and a command says what can not be read yet', async () => {
    await held('app_user', async () => {
      const { status, headers } = await createUser();
      expect([status, headers.get('x-consistency')]).toEqual([201, 'pending']);
      const early = await oma.api.get('/users', { 'x-min-position': headers.get('x-event-position') ?? '' });
      expect(early).toMatchObject({ status: 503, body: { code: 'read-models-behind' } });
      expect(early.headers.get('retry-after')).toBe('1');
      const key = { 'idempotency-key': `early-${users}` };
      const waiting = { ...key, 'x-min-position': headers.get('x-event-position') ?? '' };
      expect(await createUser(waiting)).toMatchObject({ status: 503, body: { code: 'read-models-behind' } });
      expect((await createUser(key)).status).toBe(201);
      const elsewhere = await oma.api.get('/jobs', { 'x-min-position': headers.get('x-event-position') ?? '' });
      expect(elsewhere.status).toBe(200);
    });
  });

  it('X-Min-Position is nothing that strangers hear of, and an empty one is refused', async () => {
    const stranger = await oma.api.as('nobody').get('/jobs', { 'x-min-position': POSITION_AHEAD });
    expect(stranger).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    const empty = await oma.api.get('/jobs', { 'x-min-position': '' });
    expect(empty).toMatchObject({ status: 400, body: { code: 'malformed-request' } });
  });

  it.each([
    ['nonsense', 'unknown-position'],
    ['00000000000000000001/00000000000000000001', 'unknown-position'],
    [POSITION_AHEAD, 'position-ahead-of-log'],
  ])('X-Min-Position %s is refused with the newest one', async (position, code) => {
    const { status, body } = await oma.api.get('/jobs', { 'x-min-position': position });
    expect({ status, code: body['code'] }).toEqual({ status: 400, code });
    const retry = await oma.api.get('/jobs', { 'x-min-position': String(body['newest_position']) });
    expect(retry.status).toBe(200);
  });

  it('an unchanged VM is answered with 304', async () => {
    const path = `/vm-contexts/by-id/${vm.contextId}`;
    const first = await oma.api.get(path);
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toBe('W/"0"');
    const same = await oma.api.get(path, { 'if-none-match': `"7", ${etag}` });
    expect([same.status, same.body, same.headers.get('etag')]).toEqual([304, null, etag]);
    expect((await oma.api.get(path, { 'if-none-match': 'W/"7"' })).status).toBe(200);
    const head = await fetch(`${oma.api.url}/api/v1${path}`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${oma.api.token}`, 'if-none-match': etag },
    });
    expect([head.status, head.headers.get('etag')]).toEqual([304, etag]);
  });

  it('a job is cancelled only as it was seen', async () => {
    lab.misbehave({ bytes_per_second: 1024 * 1024 });
    const jobId = await startBackup(oma.api, vm);
    // From here on nothing happens to it by itself for a while.
    const seen = await eventually(async () => {
      const job = await oma.api.get(`/jobs/${jobId}`);
      expect(job.body['current_step']).toBe('Copy the disks');
      return job;
    });
    const current = seen.headers.get('etag') ?? '';
    expect(current).toMatch(/^W\/"\d+"$/);
    const stale = await oma.api.post(`/jobs/${jobId}/cancel`, {}, { 'if-match': 'W/"900"' });
    expect(stale).toMatchObject({ status: 412, body: { code: 'precondition-failed' } });
    expect(stale.body['current_etag']).toMatch(/^W\/"\d+"$/);
    expect((await oma.api.get(`/jobs/${jobId}`)).body['cancel_requested']).toBe(false);
    const again = await oma.api.post(`/jobs/${jobId}/cancel`, {}, { 'if-match': String(stale.body['current_etag']) });
    expect(again.status).toBe(202);
    expect(again.headers.get('etag')).not.toBe(stale.body['current_etag']);
    lab.misbehave({});
    await endOf(oma.api, jobId);
    // Whatever is there will do, and what is there refuses by itself.
    const late = await oma.api.post(`/jobs/${jobId}/cancel`, {}, { 'if-match': '*' });
    expect(late).toMatchObject({ status: 409, body: { code: 'job-is-over' } });
    const over = await oma.api.get(`/jobs/${jobId}`);
    const backup = await oma.api.get(`/backup/${jobId}`);
    expect(backup.headers.get('etag')).toBe(over.headers.get('etag'));
  }, 60_000);

  it('If-Match on what is only being made fails, and nothing is made', async () => {
    const { status, body } = await createUser({ 'if-match': 'W/"0"' });
    expect({ status, etag: body['current_etag'] }).toEqual({ status: 412, etag: null });
    expect((await createUser({ 'if-match': '*' })).status).toBe(412);
    const repository = { name: 'never', type: 'local', config: { path: `${oma.dataDir}/never` } };
    expect((await oma.api.post('/repositories', repository, { 'if-match': '*' })).status).toBe(412);
    const elsewhere = await oma.api.post('/projections/none/retry', {}, { 'if-match': '*' });
    expect(elsewhere).toMatchObject({ status: 404, body: { code: 'unknown-projection' } });
    expect((await createUser({})).status).toBe(201);
  });

  it.each(['nonsense', 'W/3', '"a', '"a" "b"'])('If-Match %s is malformed', async (tag) => {
    const answer = await oma.api.post('/jobs/none/cancel', {}, { 'if-match': tag });
    expect(answer).toMatchObject({ status: 400, body: { code: 'malformed-request' } });
  });

  it('the first answer is given again with its position, its tag and the correlation id of what was done', async () => {
    const body = { username: 'once', password: 'a-long-password', role: 'viewer' };
    const first = await oma.api.post('/users', body, { 'idempotency-key': 'once' });
    const again = await oma.api.post('/users', body, { 'idempotency-key': 'once' });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    for (const name of ['x-event-position', 'etag', 'x-correlation-id'])
      expect(again.headers.get(name)).toBe(first.headers.get(name));
    expect(first.headers.get('etag')).toBe('W/"0"');
  });

  it('what is begun but can not be shown yet says where and after what to look, and the same key gets the answer', async () => {
    const body = { vm_name: vm.contextId, backup_type: 'full', repository_id: vm.repositoryId };
    const start = () => oma.api.post('/backup/start', body, { 'idempotency-key': 'begun' });
    let place = '';
    await held('backup', async () => {
      const refused = await start();
      expect(refused).toMatchObject({ status: 503, body: { code: 'not-visible-yet' } });
      expect(refused.headers.get('x-consistency')).toBe('pending');
      place = (refused.headers.get('location') ?? '').replace('/api/v1', '');
      const position = refused.headers.get('x-event-position') ?? '';
      expect(position).toMatch(/^\S+$/);
      // Other rows than those that the answer would be made of.
      const job = await oma.api.get(place, { 'x-min-position': position });
      expect(job).toMatchObject({ status: 200, body: { job_type: 'backup' } });
    });
    const again = await start();
    expect(again.status).toBe(202);
    expect(place).toBe(`/jobs/${String(again.body['backup_id'])}`);
    expect((await endOf(oma.api, String(again.body['backup_id'])))['status']).toBe('completed');
  });

  it('a key is as good as new after a day, and after a refusal', async () => {
    const key = { 'idempotency-key': 'daily' };
    const make = (username: string) =>
      oma.api.post('/users', { username, password: 'a-long-password', role: 'viewer' }, key);
    expect((await make('once')).status).toBe(409);
    expect((await make('monday')).status).toBe(201);
    expect((await make('tuesday')).status).toBe(422);
    const client = new pg.Client({ connectionString: oma.databaseUrl });
    await client.connect();
    await client.query(`update idempotency_key set created_at = created_at - interval '25 hours' where key = 'daily'`);
    await client.end();
    expect((await make('tuesday')).status).toBe(201);
  });
});
