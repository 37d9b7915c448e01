import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { Database } from '#platform/database/database';

import { all } from '../kit/events.js';
import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { OutsideWriter } from '../kit/outside-writer.js';
import { testServerUrl } from '../kit/postgres.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { ADMIN_PASSWORD, runningOma, type RunningOma } from '../kit/running-oma.js';
import { givenEventStore } from '../kit/store-settings.js';

const VM = 'db-01';
const logInDatabase = givenEventStore === undefined ? ['log'] : [];

describe('watching OMA', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;
  let database: Database;
  let log: OutsideWriter;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21500-21529' });
    database = new Database(oma.databaseUrl);
    log = await OutsideWriter.beside(oma);
    vm = await protect(oma.api, lab, VM, oma.dataDir);
    await endOf(oma.api, await startBackup(oma.api, vm));
  }, 120_000);

  afterAll(async () => {
    await log.close();
    await database.close();
    await oma.clear();
    await lab.clear();
  }, 60_000);

  const scrape = async (path = '/api/v1/metrics', token = oma.api.token) => {
    const answer = await fetch(`${oma.api.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
  };
  const valueOf = (text: string, series: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.slice(series.length) ?? NaN,
    );
  const ready = async (path = '/api/v1/ready') => {
    const answer = await fetch(`${oma.api.url}${path}`);
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };

  describe('by its metrics', () => {
    it('says after a backup what was done', async () => {
      await eventually(async () => {
        const { status, type, text } = await scrape();
        expect(status).toBe(200);
        expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
        expect(valueOf(text, 'oma_jobs{type="backup",status="completed"}')).toBe(1);
        expect(valueOf(text, 'oma_sagas{saga="takebackup",state="completed"}')).toBe(1);
        expect(valueOf(text, 'oma_sagas{saga="takebackup",state="open"}')).toBe(0);
        expect(valueOf(text, 'oma_effect_attempts_total{kind="image.create",outcome="succeeded"}')).toBeGreaterThan(0);
        // There before the first: an alert on its increase would miss that one otherwise.
        expect(valueOf(text, 'oma_effect_attempts_total{kind="image.create",outcome="failed"}')).toBe(0);
        expect(valueOf(text, 'oma_effect_attempt_duration_seconds_count{kind="image.create"}')).toBeGreaterThan(0);
        expect(valueOf(text, 'oma_exports_open')).toBe(0);
        expect(valueOf(text, 'oma_mounts_open{status="mounted"}')).toBe(0);
        expect(valueOf(text, 'oma_store_up')).toBe(1);
        expect(valueOf(text, 'oma_projection_lag_seconds{projection="backup"}')).toBe(0);
        expect(valueOf(text, 'oma_projection_state{projection="backup",state="running"}')).toBe(1);
        expect(valueOf(text, 'oma_projection_events_total{projection="backup"}')).toBeGreaterThanOrEqual(3);
        expect(text).toContain('process_resident_memory_bytes');
        expect(text).not.toMatch(/^oma_metrics_source_up\S* 0$/m);
      });
    });

    it('counts sagas by kind and by how they ended, those that are open too', async () => {
      const sagas = async (saga: string) => {
        const { text } = await scrape();
        const series = text.matchAll(new RegExp(`^oma_sagas\\{saga="${saga}",state="(\\w+)"\\} (\\d+)$`, 'gm'));
        return Object.fromEntries([...series].map(([, state = '', value]) => [state, Number(value)]));
      };
      expect(await sagas('takebackup')).toEqual({ open: 0, completed: 1 });
      const jobId = await startBackup(oma.api, vm, { bandwidth_limit_bytes_per_second: 100_000 });
      await eventually(async () => {
        expect(await sagas('takebackup')).toEqual({ open: 1, completed: 1 });
      });
      await oma.api.post(`/jobs/${jobId}/cancel`, {}, { 'x-reason': 'a trial' });
      expect(await endOf(oma.api, jobId)).toMatchObject({ status: 'cancelled' });
      await eventually(async () => {
        expect(await sagas('takebackup')).toEqual({ open: 0, completed: 1, cancelled: 1 });
      });
    }, 60_000);

    it('counts the events of the log, all of them stored by this process', async () => {
      await eventually(async () => {
        const stored = await all(log.store.readAll());
        const { text } = await scrape();
        expect(valueOf(text, 'oma_store_events_appended_total')).toBe(stored.length);
        expect(valueOf(text, 'oma_store_head_position')).toBe(Number.parseInt(stored.at(-1)?.position ?? '', 10));
        expect(valueOf(text, 'oma_store_append_duration_seconds_count')).toBeGreaterThan(0);
      });
    });

    it('knows requests by their route, and unknown ones as unknown', async () => {
      await oma.api.get(`/jobs/${VM}-secret-name`);
      await oma.api.get(`/nowhere/${VM}-secret-name`);
      const { text } = await scrape();
      const count = (labels: string) => valueOf(text, `oma_http_request_duration_seconds_count{${labels}}`);
      expect(count('method="GET",route="/api/v1/jobs/:job_id",status="404"')).toBe(1);
      expect(count('method="GET",route="unknown",status="404"')).toBe(1);
    });

    it('shows no name, path, id or secret in any label', async () => {
      const { text } = await scrape();
      const labels = [...text.matchAll(/="([^"]*)"/g)].map(([, value]) => value ?? '');
      expect(labels.length).toBeGreaterThan(100);
      const told = [
        VM,
        oma.dataDir,
        vm.contextId,
        vm.repositoryId,
        lab.vcenter.password,
        oma.api.token,
        ADMIN_PASSWORD,
      ];
      for (const secret of told) expect(labels.filter((value) => value.includes(secret))).toEqual([]);
      expect(labels.filter((value) => /[0-9a-f]{8}-[0-9a-f]{4}-/.test(value))).toEqual([]);
    });

    it('stands at the root too, for viewers and nobody below', async () => {
      await oma.api.post('/users', { username: 'prometheus', password: 'prometheus-password', role: 'viewer' });
      const login = await oma.api.as('').post('/auth/login', {
        username: 'prometheus',
        password: 'prometheus-password',
      });
      expect((await scrape('/metrics', String(login.body['session_token']))).status).toBe(200);
      expect((await scrape('/metrics', 'nonsense')).status).toBe(401);
    });
  });

  describe('by its readiness', () => {
    it('says at each of its addresses that it is ready, to everybody', async () => {
      for (const path of ['/ready', '/health/ready', '/api/v1/ready', '/api/v1/health/ready']) {
        expect(await ready(path)).toEqual({ status: 200, body: { status: 'ready' } });
      }
    });

    it('names a projection that stopped, and is ready again once it goes on', async () => {
      await database.query(`update projection set status = 'stopped' where name = 'job'`);
      const { status, body } = await ready();
      expect(status).toBe(503);
      expect(body).toMatchObject({ code: 'not-ready', status: 503, not_ready: ['projections'] });
      const { text } = await scrape();
      expect(valueOf(text, 'oma_projection_state{projection="job",state="stopped"}')).toBe(1);
      await oma.api.post('/projections/job/retry');
      await eventually(async () => {
        expect((await ready()).status).toBe(200);
      });
    });

    it('is red while a projection lags beyond the limit, which is named elsewhere, and green again when it follows', async () => {
      const limited = await runningOma({ OMA_READY_LAG_SECONDS: '1', OMA_NBD_PORTS: '24100-24109' });
      const holder = new pg.Client({ connectionString: limited.databaseUrl });
      await holder.connect();
      const readiness = async () => {
        const answer = await fetch(`${limited.api.url}/ready`);
        return { status: answer.status, body: await answer.json() };
      };
      try {
        expect(await readiness()).toEqual({ status: 200, body: { status: 'ready' } });
        await holder.query('begin');
        await holder.query(`select from projection where name = 'app_user' for update`);
        const user = { username: 'late', password: 'a-long-password', role: 'viewer' };
        expect((await limited.api.post('/users', user)).headers.get('x-consistency')).toBe('pending');
        await eventually(async () => {
          expect(await readiness()).toMatchObject({
            status: 503,
            body: { code: 'not-ready', not_ready: ['projections'] },
          });
        });
        const { body } = await limited.api.get<{
          projections: { name: string; status: string; lag_seconds: number }[];
        }>('/projections');
        const behind = body.projections.filter(({ lag_seconds: lag }) => lag > 1);
        expect(behind).toMatchObject([{ name: 'app_user', status: 'running' }]);
        await holder.query('rollback');
        await eventually(async () => {
          expect(await readiness()).toEqual({ status: 200, body: { status: 'ready' } });
        });
      } finally {
        await holder.end();
        await limited.clear();
      }
    }, 60_000);

    it('is red while the database is away, although it lives, and green again by itself', async () => {
      const server = new pg.Client({ connectionString: await testServerUrl() });
      await server.connect();
      const name = new URL(oma.databaseUrl).pathname.slice(1);
      try {
        await server.query(`alter database ${name} allow_connections false`);
        await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = $1`, [name]);
        await eventually(async () => {
          const { status, body } = await ready();
          expect(status).toBe(503);
          expect(body['not_ready']).toEqual(['database', ...logInDatabase, 'projections']);
        });
        await server.query(`alter database ${name} allow_connections true`);
        await eventually(async () => {
          expect(await ready()).toEqual({ status: 200, body: { status: 'ready' } });
        }, 20);
      } finally {
        await server.query(`alter database ${name} allow_connections true`);
        await server.end();
      }
      const { status } = await oma.api.post('/repositories', {
        name: 'later',
        type: 'local',
        config: { path: oma.dataDir },
      });
      expect(status).toBeLessThan(500);
    }, 60_000);
  });
});
