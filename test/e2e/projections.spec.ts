import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import type { Json } from '../kit/api-client.js';
import { all as everything } from '../kit/events.js';
import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { OutsideWriter } from '../kit/outside-writer.js';
import { endOf, protect, startBackup } from '../kit/protected-vm.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';

interface Projection {
  readonly name: string;
  readonly generation: number;
  readonly status: string;
  readonly building: Json | null;
}

describe('projections, for admins', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let database: pg.Client;
  let log: OutsideWriter;
  let names: readonly string[];

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21200-21240' });
    const vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
    const jobId = await startBackup(oma.api, vm);
    await endOf(oma.api, jobId);
    const { body } = await oma.api.post('/restore/mount', { backup_id: jobId });
    await endOf(oma.api, String(body['mount_id']));
    await oma.api.delete(`/restore/${String(body['mount_id'])}`);
    database = new pg.Client({ connectionString: oma.databaseUrl });
    await database.connect();
    log = await OutsideWriter.beside(oma);
    names = (await all()).map(({ name }) => name);
  }, 180_000);

  afterAll(async () => {
    await database.end();
    await log.close();
    await oma.clear();
    await lab.clear();
  });

  const logged = () => everything(log.store.readAll());
  const all = async () => (await oma.api.get<{ projections: Projection[] }>('/projections')).body.projections;
  const rebuilt = async (name: string) => {
    const { status, headers, body } = await oma.api.post<Projection>(`/projections/${name}/rebuild`);
    expect({ name, status, body }).toMatchObject({ status: 202, body: { name } });
    return eventually(async () => {
      const { body: now } = await oma.api.get<Projection>((headers.get('location') ?? '').replace('/api/v1', ''));
      expect(now).toMatchObject({ building: null, status: 'running' });
      expect(now.generation).toBeGreaterThan(body.generation);
      return now;
    }, 30);
  };
  const verified = async (name: string) => {
    const { status, headers } = await oma.api.post(`/projections/${name}/verify`);
    expect(status).toBe(202);
    return eventually(async () => {
      const { body } = await oma.api.get((headers.get('location') ?? '').replace('/api/v1', ''));
      expect(body['status']).not.toBe('running');
      return body;
    }, 30);
  };

  it('agree with the log, each of them, before and after they are built anew from a real one', async () => {
    expect(names.length).toBeGreaterThanOrEqual(10);
    const untouched = { status: 'done', missing: 0, extra: 0, different: 0, examples: [] };
    for (const name of names) expect({ name, ...(await verified(name)) }).toMatchObject(untouched);
    const leases = async () => (await database.query<Json>('select * from effect_lease')).rows;
    const before = await leases();
    const done = async () => (await logged()).filter(({ stream }) => !stream.startsWith('projection-')).length;
    const events = await done();
    for (const name of names) await rebuilt(name);
    for (const name of names) expect({ name, ...(await verified(name)) }).toMatchObject(untouched);
    expect(await leases()).toEqual(before);
    expect(await done()).toBe(events);
  }, 180_000);

  it('show damage by key and column, and lose it by a rebuild', async () => {
    const { rows } = await database.query<{ it: string }>(
      `select 'rm_repository_v' || version || case when generation > 1 then '_g' || generation else '' end as it
         from projection where name = 'repository' and live`,
    );
    await database.query(`update ${rows[0]?.it ?? ''} set name = 'canary'`);
    const found = await verified('repository');
    expect(found).toMatchObject({
      status: 'done',
      different: 1,
      examples: [{ kind: 'different', columns: ['name'] }],
    });
    expect(JSON.stringify(found)).not.toContain('canary');
    await rebuilt('repository');
    expect(await verified('repository')).toMatchObject({ different: 0 });
  });

  it('refuse by name what can not be done', async () => {
    const refused = { status: 404, body: { code: 'unknown-projection' } };
    expect(await oma.api.get('/projections/nothing')).toMatchObject(refused);
    for (const action of ['rebuild', 'verify', 'retry']) {
      expect(await oma.api.post(`/projections/nothing/${action}`)).toMatchObject(refused);
    }
    expect(await oma.api.post('/projections/audit/retry')).toMatchObject({
      status: 409,
      body: { code: 'no-stopped-projection' },
    });
    expect(await oma.api.delete('/projections/audit/rebuild')).toMatchObject({
      status: 409,
      body: { code: 'no-rebuild-under-way' },
    });
    expect(await oma.api.get('/projections/audit/checks/nothing')).toMatchObject({
      status: 404,
      body: { code: 'unknown-check' },
    });
    expect(await oma.api.post('/projections/audit/skip/nothing')).toMatchObject({
      status: 422,
      body: { code: 'reason-missing' },
    });
  });

  it('let one rebuild of a projection be under way at a time, and one be given up', async () => {
    const report = new pg.Client({ connectionString: oma.databaseUrl });
    await report.connect();
    await report.query('begin');
    await report.query('select * from audit limit 1');
    expect(await oma.api.post('/projections/audit/rebuild')).toMatchObject({ status: 202 });
    expect(await oma.api.post('/projections/audit/rebuild')).toMatchObject({
      status: 409,
      body: { code: 'rebuild-under-way' },
    });
    expect(await oma.api.delete('/projections/audit/rebuild')).toMatchObject({ status: 202 });
    await report.query('commit');
    await report.end();
    await eventually(async () => {
      expect(await oma.api.get('/projections/audit')).toMatchObject({ body: { building: null } });
      const { rows } = await database.query(`select from projection where name = 'audit' and status = 'cancelled'`);
      expect(rows).toEqual([]);
    }, 20);
    expect(await rebuilt('audit')).toMatchObject({ status: 'running' });
  }, 60_000);

  it('go on without an event that can not be handled, when an admin says why', async () => {
    await database.query(`insert into projection_dead_letter values ('app_user', 1, 'somebody-elses', 'e', 'a', 'r')`);
    const events = await logged();
    const place = events.findIndex(({ type }) => type === 'UserCreated');
    const event = events[place];
    await database.query(
      `update projection set status = 'stopped', error = 'trial', stopped_event_id = $1, position = $2
        where name = 'app_user' and live`,
      [event?.id, events[place - 1]?.position ?? ''],
    );
    const before = await oma.api.get('/projections/app_user');
    const skipped = await oma.api.post(`/projections/app_user/skip/${event?.id ?? ''}`, {}, { 'x-reason': 'a trial' });
    expect(skipped).toMatchObject({
      status: 202,
      body: { status: 'running', error: null, skipped_events: Number(before.body['skipped_events']) + 1 },
    });
    const { rows: letters } = await database.query(
      `select event_id, error, reason from projection_dead_letter where event_id = $1`,
      [event?.id],
    );
    expect(letters).toEqual([{ event_id: event?.id, error: 'trial', reason: 'a trial' }]);
  });

  it('leave a trace of who wanted what, and why', async () => {
    await oma.api.post('/projections/mount/rebuild', {}, { 'x-reason': 'a trial' });
    await eventually(async () => {
      const { body } = await oma.api.get<{ events: Json[] }>('/audit?stream=projection-mount&limit=1');
      expect(body.events[0]).toMatchObject({
        type: 'ProjectionRebuildRequested',
        actor: { kind: 'user', name: 'admin' },
        reason: 'a trial',
      });
    });
  });

  it('are nobody else’s business', async () => {
    const nobody = oma.api.as('');
    for (const name of ['rebuild', 'verify', 'retry']) {
      expect(await nobody.post(`/projections/audit/${name}`)).toMatchObject({ status: 401 });
    }
  });
});
