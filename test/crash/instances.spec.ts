import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { filesOfBackups, leftBehind } from '../kit/left-behind.js';
import { OmaProcess } from '../kit/oma-process.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';

const MIB = 1024 * 1024;
const HANG_AT = 4 * MIB;

describe('two instances on one database', () => {
  let berlin: OmaProcess;
  let paris: OmaProcess;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;
  let point: string;
  let database: pg.Client;

  beforeAll(async () => {
    lab = await startTestLab();
    const settings = { OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21780-21799', OMA_MASTER_KEY: 'ab'.repeat(32) };
    berlin = await OmaProcess.start(settings);
    paris = await OmaProcess.beside(berlin, settings);
    vm = await protect(berlin.api, lab, 'db-01', berlin.dataDir);
    point = await startBackup(berlin.api, vm);
    await endOf(berlin.api, point);
    database = new pg.Client({ connectionString: berlin.databaseUrl });
    await database.connect();
  }, 120_000);

  afterAll(async () => {
    await database.end();
    await paris.clear();
    await berlin.clear();
    await lab.clear();
  }, 120_000);

  const run = (oma: OmaProcess) => join(oma.dataDir, 'run');
  const mountAt = async (oma: OmaProcess) => {
    const { body } = await oma.api.post('/restore/mount', { backup_id: point });
    const mountId = String(body['mount_id']);
    expect(await endOf(oma.api, mountId)).toMatchObject({ status: 'completed' });
    return mountId;
  };
  const copyingAt = async (oma: OmaProcess) => {
    lab.misbehave({ hang_at_byte: HANG_AT });
    const jobId = await startBackup(oma.api, vm);
    await eventually(async () => {
      const { body } = await oma.api.get(`/backup/${jobId}`);
      expect(body['bytes_transferred']).toBeGreaterThanOrEqual(HANG_AT);
    });
    return jobId;
  };
  /** As if it had been silent for an hour. */
  const isSilent = (oma: OmaProcess) =>
    database
      .query(
        `update instance set alive_until = now() - interval '1 hour'
        where instance_id in (select metadata->>'instance' from es.event where type = 'VmHeld' or type = 'MountRequested'
                               order by position desc limit 1)`,
      )
      .then(({ rowCount }) => {
        expect({ rowCount, of: oma.dataDir }).toEqual({ rowCount: 1, of: oma.dataDir });
      });

  it('read the files of a mount where it is, say elsewhere where that is, and close it from anywhere', async () => {
    const mountId = await mountAt(berlin);
    expect((await berlin.api.get(`/restore/${mountId}/files?path=/`)).status).toBe(200);
    const { status, body } = await paris.api.get(`/restore/${mountId}/files?path=/`);
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: 'mount-elsewhere', host: expect.any(String), instance_id: expect.any(String) });
    expect((await paris.api.get('/restore/mounts')).body['count']).toBe(1);
    expect((await paris.api.delete(`/restore/${mountId}`)).body['status']).toBe('unmounted');
    expect(leftBehind(run(berlin))).toEqual([]);
  }, 60_000);

  it('leave alone what the other one has under way, when one stops and starts again', async () => {
    const mountId = await mountAt(berlin);
    const jobId = await copyingAt(berlin);
    expect(await paris.stop()).toBe(0);
    await paris.restart();
    expect((await paris.api.get(`/jobs/${jobId}`)).body['status']).toBe('running');
    expect((await berlin.api.get(`/restore/${mountId}/files?path=/`)).status).toBe(200);
    lab.misbehave({});
    expect(await endOf(paris.api, jobId)).toMatchObject({ status: 'completed', leftovers: [] });
    await berlin.api.delete(`/restore/${mountId}`);
    expect(leftBehind(run(berlin))).toEqual([]);
  }, 90_000);

  it('end truthfully what one had under way that does not come back, and it tidies up when it does', async () => {
    const before = filesOfBackups(vm.repositoryPath);
    const mountId = await mountAt(berlin);
    const jobId = await copyingAt(berlin);
    await berlin.kill();
    expect(leftBehind(run(berlin))).not.toEqual([]);
    await isSilent(berlin);
    const job = await endOf(paris.api, jobId, 60);
    expect(job).toMatchObject({ status: 'failed', leftovers: ['export:2000'] });
    expect(job['error']).toMatchObject({ message: expect.stringContaining('instance') });
    lab.misbehave({});
    await eventually(async () => {
      expect((await paris.api.get('/restore/mounts')).body['count']).toBe(0);
    }, 30);
    expect(filesOfBackups(vm.repositoryPath)).toEqual(before);
    expect(await endOf(paris.api, await startBackup(paris.api, vm))).toMatchObject({ status: 'completed' });
    expect((await paris.api.get(`/restore/${mountId}/files?path=/`)).status).toBe(410);
    await berlin.restart();
    expect(leftBehind(run(berlin))).toEqual([]);
    expect(existsSync(join(run(berlin), 'mounts', mountId))).toBe(false);
  }, 120_000);

  it('end one that the other took for dead, so that nothing of it goes on', async () => {
    const mountId = await mountAt(berlin);
    await database.query(
      `delete from instance where instance_id = (select metadata->>'instance' from es.event
        where stream = $1 and type = 'MountRequested')`,
      [`mount-${mountId}`],
    );
    expect(await berlin.ended()).toBe(75);
    await berlin.restart();
    await eventually(async () => {
      expect((await paris.api.get('/restore/mounts')).body['count']).toBe(0);
    }, 30);
    expect(leftBehind(run(berlin))).toEqual([]);
  }, 60_000);
});
