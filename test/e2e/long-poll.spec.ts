import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';

describe('waiting for a job', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21350-21399' });
    vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
  }, 60_000);

  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  });

  const timed = async (path: string) => {
    const began = performance.now();
    const answer = await oma.api.get(path);
    return { ...answer, seconds: (performance.now() - began) / 1000 };
  };

  it('is answered when it ends, for everybody who waits', async () => {
    const jobId = await startBackup(oma.api, vm);
    const answers = await Promise.all(Array.from({ length: 20 }, () => timed(`/jobs/${jobId}?wait=60s`)));
    for (const { status, body, seconds } of answers) {
      expect([status, body['status']]).toEqual([200, 'completed']);
      expect(seconds).toBeLessThan(50);
    }
    expect((await timed(`/jobs/${jobId}?wait=60s`)).seconds).toBeLessThan(2);
  }, 90_000);

  it('is answered after the time when it goes on, and at once when it is cancelled', async () => {
    lab.misbehave({ bytes_per_second: 256 * 1024 });
    const jobId = await startBackup(oma.api, vm);
    const { body, seconds } = await timed(`/jobs/${jobId}?wait=1s`);
    expect(body['status']).toBe('running');
    expect(seconds).toBeGreaterThanOrEqual(1);
    const waiting = timed(`/jobs/${jobId}?wait=60s`);
    await oma.api.post(`/jobs/${jobId}/cancel`);
    expect((await waiting).body['status']).toBe('cancelled');
    lab.misbehave({});
  }, 60_000);

  it('is refused at once when there is no such job', async () => {
    const { status, seconds } = await timed('/jobs/none?wait=30s');
    expect(status).toBe(404);
    expect(seconds).toBeLessThan(5);
  });

  it.each(['30', '61s', '-1s', '1.5s', 's', '1m', 'soon', '1s&wait=2s', '99999999s'])(
    'does not take wait=%s',
    async (wait) => {
      const answer = await oma.api.get(`/jobs/none?wait=${wait}`);
      expect(answer).toMatchObject({ status: 400, body: { code: 'malformed-request' } });
    },
  );

  it('is over for those who went away', async () => {
    lab.misbehave({ bytes_per_second: 256 * 1024 });
    const jobId = await startBackup(oma.api, vm);
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const leaving = new AbortController();
    const gone = Array.from({ length: 100 }, () =>
      oma.api.open(`/jobs/${jobId}?wait=60s`, {}, leaving.signal).catch(() => null),
    );
    await eventually(() => {
      expect(timers()).toBeGreaterThan(before + 90);
    });
    leaving.abort();
    await Promise.all(gone);
    await eventually(() => {
      expect(timers()).toBeLessThan(before + 50);
    });
    await oma.api.post(`/jobs/${jobId}/cancel`);
    await endOf(oma.api, jobId);
    lab.misbehave({});
  }, 60_000);

  it('does not keep a clean stop waiting, and is answered with how things are', async () => {
    lab.misbehave({ bytes_per_second: 256 * 1024 });
    const jobId = await startBackup(oma.api, vm);
    const waiting = oma.api.get(`/jobs/${jobId}?wait=60s`);
    // What was asked after it is answered: so it has come, too.
    await oma.api.get(`/jobs/${jobId}?wait=1s`);
    const began = performance.now();
    const [{ status, body }] = await Promise.all([waiting, oma.restart()]);
    expect(performance.now() - began).toBeLessThan(30_000);
    expect([status, body['job_id']]).toEqual([200, jobId]);
    lab.misbehave({});
  }, 60_000);
});
