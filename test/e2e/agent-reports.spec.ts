import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { ApiClient, Json } from '../kit/api-client.js';
import { eventually } from '../kit/eventually.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { type RunningOma, runningOma } from '../kit/running-oma.js';
import { KIB, MIB, smallVm, startSmallLab } from '../kit/small-guests.js';

const CHANGE_ID = '52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81';
const OTHER_ID = '52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/82';
const UNKNOWN = '0190aaaa-0000-7000-8000-000000000000';
const OTHER_AGENT = 'a token of thirty-two characters and more';

describe('what agents report', () => {
  let lab: Awaited<ReturnType<typeof startSmallLab>>;
  let oma: RunningOma;
  let vm: ProtectedVm;
  let agent: ApiClient;
  let jobId: string;
  beforeAll(async () => {
    lab = await startSmallLab([smallVm('told', [2, 1]), smallVm('twin-a', [1])]);
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_VMA_TOKEN: lab.agentToken, OMA_NBD_PORTS: '20720-20739' });
    vm = await protect(oma.api, lab, 'told', oma.dataDir);
    agent = oma.api.as(lab.agentToken);
  });
  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  });
  /** A job that stands still until the test lets it go. */
  beforeEach(async () => {
    lab.misbehave({ hang_at_byte: 64 * KIB });
    jobId = await startBackup(oma.api, vm);
    await eventually(async () => {
      const { body } = await oma.api.get(`/jobs/${jobId}`);
      expect(body['current_step']).toBe('Copy the disks');
    });
  });
  afterEach(async () => {
    lab.misbehave({});
    await oma.api.post(`/jobs/${jobId}/cancel`);
    await endOf(oma.api, jobId);
  });

  const complete = (body: Json, id = jobId, as = agent) => as.post(`/backups/${id}/complete`, body);

  it('is taken from agents alone, each with its own token', async () => {
    const nobody = oma.api.as('');
    expect((await complete({ change_id: CHANGE_ID, disk_id: 0 }, jobId, nobody)).status).toBe(401);
    expect((await complete({ change_id: CHANGE_ID, disk_id: 0 }, jobId, oma.api.as(OTHER_AGENT))).status).toBe(401);
    expect((await complete({ change_id: CHANGE_ID, disk_id: 0 }, jobId, oma.api)).status).toBe(403);
    expect((await agent.get('/backup/list')).status).toBe(403);
    expect((await agent.post('/backup/start', {})).status).toBe(403);
  });

  it('is taken down once for exactly the named disk, as an event of that agent', async () => {
    for (const again of [1, 2]) {
      const { status, body } = await complete({ change_id: CHANGE_ID, device_key: 2016, bytes_transferred: again });
      expect(status).toBe(200);
      expect(body).toMatchObject({ status: 'completed', backup_id: jobId, change_id: CHANGE_ID });
    }
    expect(await complete({ change_id: OTHER_ID, disk_id: 1 })).toMatchObject({
      status: 409,
      body: { code: 'disk-reported-otherwise' },
    });
    const { body } = await oma.api.get<{ events: Json[] }>(`/audit?stream=backup-${jobId}&limit=100`);
    const reports = body.events.filter(({ type }) => type === 'DiskReported');
    expect(reports).toMatchObject([
      { actor: { kind: 'appliance', id: 'default' }, data: { deviceKey: 2016, changeId: CHANGE_ID } },
    ]);
  });

  it.each<[string, Json, number, string]>([
    ['a disk that the job has not', { change_id: CHANGE_ID, disk_id: 7 }, 404, 'disk-not-in-job'],
    ['no disk', { change_id: CHANGE_ID }, 404, 'disk-not-in-job'],
    ['two disks at once', { change_id: CHANGE_ID, disk_id: 0, device_key: 2016 }, 404, 'disk-not-in-job'],
    ['no change id', { disk_id: 0 }, 400, 'malformed-request'],
    ['a change id that is none', { disk_id: 0, change_id: 'previous' }, 400, 'malformed-request'],
    ['a change id with more behind it', { disk_id: 0, change_id: `${CHANGE_ID}\n` }, 400, 'malformed-request'],
    ['a disk that is no number', { disk_id: 'disk-0', change_id: CHANGE_ID }, 400, 'malformed-request'],
  ])('is refused with %s, and nothing is stored', async (_what, body, status, code) => {
    expect(await complete(body)).toMatchObject({ status, body: { code } });
    const { body: audit } = await oma.api.get<{ events: Json[] }>(`/audit?stream=backup-${jobId}&limit=100`);
    expect(audit.events.filter(({ type }) => type === 'DiskReported')).toEqual([]);
  });

  it('is refused for a job that is unknown or closed', async () => {
    expect(await complete({ change_id: CHANGE_ID, disk_id: 0 }, UNKNOWN)).toMatchObject({
      status: 404,
      body: { code: 'unknown-backup' },
    });
    await oma.api.post(`/jobs/${jobId}/cancel`);
    await endOf(oma.api, jobId);
    expect(await complete({ change_id: CHANGE_ID, disk_id: 0 })).toMatchObject({
      status: 409,
      body: { code: 'job-is-over' },
    });
    expect(await agent.post(`/telemetry/backup/${jobId}`, { bytes_transferred: 1 })).toMatchObject({ status: 409 });
  });

  it('shows in the progress, which never falls and never ends early', async () => {
    const telemetry = (bytes: number) =>
      agent.post(`/telemetry/backup/${jobId}`, {
        job_id: jobId,
        status: 'completed',
        progress_percent: 100,
        disks: [{ device_key: 2000, bytes_transferred: bytes, total_bytes: 2 * MIB, status: 'completed' }],
      });
    const ofSecond = { device_key: 2016, disk_index: 0, bytes_transferred: 512 * KIB };
    expect((await agent.post(`/telemetry/backup/${jobId}`, { disks: [ofSecond] })).status).toBe(200);
    // What the first disk has comes when OMA next asks the agent by itself.
    await eventually(async () => {
      expect((await oma.api.get(`/backup/${jobId}`)).body).toMatchObject({
        disks: [{ bytes_transferred: 64 * KIB }, { bytes_transferred: 512 * KIB }],
      });
    });
    expect((await telemetry(MIB)).status).toBe(200);
    const shown = async () => (await oma.api.get<Json & { disks: Json[] }>(`/backup/${jobId}`)).body;
    const before = (await shown()).disks[0];
    expect(before).toMatchObject({ bytes_transferred: MIB, progress_percent: 50 });
    expect((await telemetry(100)).status).toBe(200);
    expect((await telemetry(9 * MIB)).status).toBe(200);
    const backup = await shown();
    expect(backup.disks[0]).toMatchObject({ bytes_transferred: 2 * MIB, progress_percent: 99 });
    // OMA asks the agent by itself meanwhile, and what it hears of the hanging copy is out of order too.
    expect(Number(backup.disks[0]?.['ignored_reports'])).toBeGreaterThan(Number(before?.['ignored_reports']));
    expect(backup).toMatchObject({ status: 'running' });
    expect(Number(backup['progress_percent'])).toBeLessThan(100);
    expect(backup['last_telemetry_at']).toEqual(expect.stringMatching(/Z$/));
  });

  it.each<[string, Json]>([
    ['negative bytes', { bytes_transferred: -1 }],
    ['text for bytes', { bytes_transferred: 'many' }],
    ['disks that are none', { disks: [7] }],
    ['a disk without bytes', { disks: [{ device_key: 2000 }] }],
  ])('is malformed with %s', async (_what, body) => {
    expect((await agent.post(`/telemetry/backup/${jobId}`, body)).status).toBe(400);
  });

  it('gives an agent that asks the base of its open job and no other', async () => {
    const ask = (query: string) => agent.get(`/backups/changeid?${query}`);
    expect(await ask('vm_name=told&disk_id=0')).toMatchObject({
      status: 200,
      body: { vm_name: 'told', disk_id: '0', change_id: '', backup_job_id: jobId },
    });
    expect((await ask('vm_name=told&disk_id=9')).status).toBe(404);
    expect((await ask('vm_name=nobody')).status).toBe(404);
    expect((await ask('disk_id=0')).status).toBe(400);
    expect((await ask('vm_name=told&disk_id=x')).status).toBe(400);
    const named = `job_id=backup-${jobId}-disk0`;
    expect((await ask(`vm_name=told&disk_id=0&${named}`)).body).toMatchObject({ backup_job_id: jobId });
    expect((await ask(`vm_name=told&disk_id=1&${named}`)).status).toBe(404);
    expect((await ask(`vm_name=twin-a&disk_id=0&${named}`)).status).toBe(404);
    expect((await ask(`vm_name=told&disk_id=0&job_id=${UNKNOWN}`)).status).toBe(404);

    lab.misbehave({});
    expect(await endOf(oma.api, jobId)).toMatchObject({ status: 'completed' });
    const { body: point } = await oma.api.get<{ disks: Json[] }>(`/backup/${jobId}`);
    expect(await ask('vm_name=told&disk_id=0')).toMatchObject({ body: { change_id: '' } });

    lab.misbehave({ refuse_nbd: 'not yet', slow_answer_ms: 300 });
    await lab.guest('/Lab/vm/told', 2000).write(0, Buffer.alloc(64 * KIB, 1));
    const next = await startBackup(oma.api, vm, { backup_type: 'incremental' });
    await eventually(async () => {
      expect((await ask('vm_name=told&disk_id=0')).body).toMatchObject({
        change_id: point.disks[0]?.['change_id'],
        backup_job_id: next,
      });
    });
    expect((await ask(`vm_name=told&disk_id=0&job_id=${jobId}`)).status).toBe(409);
    await endOf(oma.api, next);
  });
});
