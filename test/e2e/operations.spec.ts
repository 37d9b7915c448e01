import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { Database } from '#platform/database/database';

import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { testServerUrl } from '../kit/postgres.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { ADMIN_PASSWORD, runningOma, type RunningOma } from '../kit/running-oma.js';

const VM = 'db-01';

describe('watching OMA', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;
  let database: Database;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21500-21529' });
    database = new Database(oma.databaseUrl);
    vm = await protect(oma.api, lab, VM, oma.dataDir);
    await endOf(oma.api, await startBackup(oma.api, vm));
  }, 120_000);

  afterAll(async () => {
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

    it('counts the events of the log, all of them stored by this process', async () => {
      await eventually(async () => {
        const [log] = await database.query<{ count: string }>('select count(*) from es.event');
        const { text } = await scrape();
        expect(valueOf(text, 'oma_store_events_appended_total')).toBe(Number(log?.count));
        expect(valueOf(text, 'oma_store_head_position')).toBe(Number(log?.count));
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
          expect(body['not_ready']).toEqual(['database', 'log', 'projections']);
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
