import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import type { MisbehaviourSettings } from '#lab/vma/misbehaviour';

import type { Json } from '../kit/api-client.js';
import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { filesOfBackups, leftBehind } from '../kit/left-behind.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';
import { SmallFilesystem } from '../kit/small-filesystem.js';

const MIB = 1024 * 1024;

describe('a backup that can not be', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let db: ProtectedVm;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({
      OMA_VMA_URL: lab.url,
      OMA_NBD_PORTS: '20200-20299',
      OMA_AGENT_AWAY_SECONDS: '2',
      OMA_AGENT_STALLED_SECONDS: '2',
    });
    db = await protect(oma.api, lab, 'db-01', oma.dataDir);
  }, 120_000);

  afterEach(() => {
    lab.misbehave({});
  });

  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  });

  const nothingIsLeft = async (vm: ProtectedVm) => {
    await eventually(() => {
      expect(leftBehind(join(oma.dataDir, 'run'))).toEqual([]);
      expect(filesOfBackups(vm.repositoryPath)).toEqual([]);
    });
  };

  describe('is refused before anything begins', () => {
    const start = (body: Json) =>
      oma.api.post('/backup/start', {
        vm_name: db.contextId,
        backup_type: 'full',
        repository_id: db.repositoryId,
        ...body,
      });

    it.each([
      [{ vm_name: 'nobody' }, 404, { code: 'unknown-vm', vm: 'nobody' }],
      [{ repository_id: 'nowhere' }, 404, { code: 'unknown-repository', repository_id: 'nowhere' }],
      [{ disk_id: 7 }, 404, { code: 'unknown-disk', disk_id: 7, disk_ids: [0] }],
      [{ backup_type: 'incremental' }, 422, { code: 'incremental-not-possible' }],
      [{ backup_type: 'partial' }, 400, { code: 'malformed-request' }],
      [{ disk_id: '0' }, 400, { code: 'malformed-request' }],
      [{ tags: { a: 1 } }, 400, { code: 'malformed-request' }],
      [{ vm_nam: 'x' }, 400, { code: 'malformed-request' }],
    ])('for %j', async (body, status, problem) => {
      expect(await start(body)).toMatchObject({ status, body: problem });
    });

    it('in a disabled repository', async () => {
      const { body } = await oma.api.post('/repositories', {
        name: 'disabled',
        type: 'local',
        config: { path: join(oma.dataDir, 'disabled') },
        enabled: false,
      });
      expect(await start({ repository_id: body['id'] })).toMatchObject({
        status: 422,
        body: { code: 'repository-disabled' },
      });
    });

    it('for an unknown backup, job and mount with the id', async () => {
      expect(await oma.api.get('/backup/b1')).toMatchObject({ status: 404, body: { backup_id: 'b1' } });
      expect(await oma.api.get('/jobs/j1')).toMatchObject({ status: 404, body: { job_id: 'j1' } });
      expect(await oma.api.post('/jobs/j1/cancel')).toMatchObject({ status: 404, body: { job_id: 'j1' } });
      expect(await oma.api.delete('/restore/m1')).toMatchObject({ status: 404, body: { mount_id: 'm1' } });
      expect(await oma.api.post('/restore/mount', { backup_id: 'b1' })).toMatchObject({
        status: 404,
        body: { backup_id: 'b1' },
      });
    });
  });

  describe('fails truthfully and leaves nothing, when the agent', () => {
    it.each<[string, MisbehaviourSettings, string, string]>([
      ['will not start', { refuse_start: 'busy with something else' }, 'vma-refuses', 'agent'],
      ['can not reach the export', { refuse_nbd: 'connection refused' }, 'agent-failed', 'copy'],
      ['fails in the middle', { fail_at_byte: 5 * MIB }, 'agent-failed', 'copy'],
      ['stands still', { hang_at_byte: 5 * MIB }, 'agent-stalled', 'copy'],
      ['dies in the middle', { vanish_at_byte: 5 * MIB }, 'vma-away', 'copy'],
      ['claims to be done too early', { early_complete: true }, 'agent-lied', 'copy'],
    ])(
      '%s',
      async (_when, misbehaviour, code, step) => {
        lab.misbehave(misbehaviour);
        const jobId = await startBackup(oma.api, db);
        const job = await endOf(oma.api, jobId, 30);
        // Who is gone in the midst of a job can't be told to give it up, and may have left its snapshot.
        const leftovers = step === 'copy' && code === 'vma-away' ? ['agent-check'] : [];
        expect(job).toMatchObject({ status: 'failed', error: { code, step }, leftovers });
        expect((job['error'] as Json)['remedy']).toEqual(expect.stringMatching(/\S{3}/));
        const { body } = await oma.api.get(`/backup/${jobId}`);
        expect(body).toMatchObject({ status: 'failed', error_code: code });
        await nothingIsLeft(db);
      },
      40_000,
    );

    it('talks nonsense in the middle', async () => {
      lab.misbehave({ hang_at_byte: 5 * MIB });
      const jobId = await startBackup(oma.api, db);
      await eventually(async () => {
        expect((await oma.api.get(`/backup/${jobId}`)).body['bytes_transferred']).toBeGreaterThan(0);
      });
      lab.misbehave({ hang_at_byte: 5 * MIB, nonsense: 'html' });
      expect(await endOf(oma.api, jobId, 30)).toMatchObject({ status: 'failed', error: { step: 'copy' } });
      await nothingIsLeft(db);
    }, 40_000);
  });

  it('is cancelled within seconds, and leaves nothing', async () => {
    lab.misbehave({ bytes_per_second: MIB });
    const jobId = await startBackup(oma.api, db);
    await eventually(async () => {
      expect((await oma.api.get(`/backup/${jobId}`)).body['bytes_transferred']).toBeGreaterThan(0);
    });
    const { status, body } = await oma.api.post(`/jobs/${jobId}/cancel`);
    expect({ status, cancel: body['cancel_requested'] }).toEqual({ status: 202, cancel: true });
    expect(await endOf(oma.api, jobId, 10)).toMatchObject({ status: 'cancelled', leftovers: [] });
    await nothingIsLeft(db);
    expect(await oma.api.post(`/jobs/${jobId}/cancel`)).toMatchObject({
      status: 409,
      body: { code: 'job-is-over', job_status: 'cancelled' },
    });
  }, 40_000);

  it('waits for nobody: of two at once one is told the job of the other', async () => {
    lab.misbehave({ bytes_per_second: 4 * MIB });
    const ask = () =>
      oma.api.post('/backup/start', {
        vm_name: db.contextId,
        backup_type: 'full',
        repository_id: db.repositoryId,
      });
    const answers = await Promise.all([ask(), ask()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409]);
    const won = answers.find(({ status }) => status === 202);
    const lost = answers.find(({ status }) => status === 409);
    expect(lost?.body).toMatchObject({ code: 'vm-is-held', job_id: won?.body['backup_id'] });
    await oma.api.post(`/jobs/${String(won?.body['backup_id'])}/cancel`);
    await endOf(oma.api, String(won?.body['backup_id']));
  }, 40_000);

  describe('in a repository without space', () => {
    let small: SmallFilesystem;
    let folder: string;

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'oma-small-'));
      small = new SmallFilesystem(folder, 100);
    });

    afterAll(() => {
      small.clear();
      rmSync(folder, { recursive: true, force: true });
    });

    it('is refused before a byte is written when there is too little, and fails when it fills up in the middle', async () => {
      const created = await oma.api.post('/repositories', {
        name: 'small',
        type: 'local',
        config: { path: join(small.path, 'repository') },
      });
      expect(created.status).toBe(201);
      const vm = { ...db, repositoryId: String(created.body['id']), repositoryPath: join(small.path, 'repository') };
      lab.misbehave({ bytes_per_second: 8 * MIB });
      const jobId = await startBackup(oma.api, vm);
      await eventually(async () => {
        expect((await oma.api.get(`/backup/${jobId}`)).body['bytes_transferred']).toBeGreaterThan(0);
      });
      small.fill();
      const job = await endOf(oma.api, jobId, 40);
      expect(job).toMatchObject({ status: 'failed', leftovers: [] });
      await nothingIsLeft(vm);
      const { status, body } = await oma.api.post('/backup/start', {
        vm_name: db.contextId,
        backup_type: 'full',
        repository_id: vm.repositoryId,
      });
      expect({ status, code: body['code'] }).toEqual({ status: 422, code: 'not-enough-space' });
      expect(body['needed_bytes']).toBeGreaterThan(Number(body['available_bytes']));
    }, 90_000);
  });
});
