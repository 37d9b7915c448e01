import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { leftBehind } from '../kit/left-behind.js';
import { doubledFacts, LogWatch } from '../kit/log-watch.js';
import { OmaProcess } from '../kit/oma-process.js';
import { endOf, protect, startBackup } from '../kit/protected-vm.js';

const OPENING = ['overlay', 'export', 'disk', 'inspect', 'partition:1', 'opened'];
const CLOSING = ['undo:partition:1', 'undo:disk', 'undo:export', 'undo:overlay', 'conclude:end'];
const MOMENTS = ['EffectRequested', 'EffectSucceeded'] as const;
const WITHIN_SECONDS = 60;

describe('a mount whose OMA is killed', () => {
  let oma: OmaProcess;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let log: LogWatch;
  let backupId: string;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await OmaProcess.start({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21200-21299' });
    const vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
    backupId = await startBackup(oma.api, vm);
    await endOf(oma.api, backupId);
    log = await LogWatch.open(oma.databaseUrl);
  }, 120_000);

  afterAll(async () => {
    await log.close();
    await oma.clear();
    await lab.clear();
  }, 60_000);

  const mount = async () => {
    const { body } = await oma.api.post('/restore/mount', { backup_id: backupId });
    return String(body['mount_id']);
  };
  /** Asks without waiting for the answer, which the kill cuts off. */
  const ask = (request: Promise<unknown>) => {
    request.catch(() => undefined);
  };
  const newestMount = async () =>
    eventually(async () => {
      const { body } = await oma.api.get<{ jobs: { job_id: string; status: string }[] }>(
        '/jobs?job_type=restore_mount&status=running&limit=1',
      );
      const [job] = body.jobs;
      if (job === undefined) throw new Error('no mount is being opened yet');
      return job.job_id;
    });
  const closed = async (mountId: string) => {
    await eventually(async () => {
      const events = await log.events(`restoremount-${mountId}`);
      expect(events.at(-1)?.type).toBe('SagaEnded');
    }, WITHIN_SECONDS);
    expect(leftBehind(join(oma.dataDir, 'run'))).toEqual([]);
    expect(doubledFacts(await log.events(`restoremount-${mountId}`))).toEqual([]);
  };
  const moments = (steps: readonly string[]) => steps.flatMap((step) => MOMENTS.map((moment) => ({ step, moment })));

  it.each(moments(OPENING))(
    'at $moment of $step opens all the same, and closes without leaving anything',
    async ({ step, moment }) => {
      ask(oma.api.post('/restore/mount', { backup_id: backupId }));
      const mountId = await newestMount();
      expect(await log.until(`restoremount-${mountId}`, moment, step)).toBe(true);
      await oma.kill();
      await oma.restart();
      expect(await endOf(oma.api, mountId, WITHIN_SECONDS)).toMatchObject({ status: 'completed' });
      const listing = await oma.api.get<{ total_count: number }>(`/restore/${mountId}/files?path=/`);
      expect(listing.status).toBe(200);
      expect(listing.body.total_count).toBeGreaterThan(0);
      expect((await oma.api.delete(`/restore/${mountId}`)).status).toBe(200);
      await closed(mountId);
    },
    120_000,
  );

  it.each(moments(CLOSING))(
    'at $moment of $step closes all the same',
    async ({ step, moment }) => {
      const mountId = await mount();
      await endOf(oma.api, mountId, WITHIN_SECONDS);
      ask(oma.api.delete(`/restore/${mountId}`));
      expect(await log.until(`restoremount-${mountId}`, moment, step)).toBe(true);
      await oma.kill();
      await oma.restart();
      await closed(mountId);
      // The log tells it before the rows do.
      await eventually(async () => {
        expect((await oma.api.get(`/restore/${mountId}/files?path=/`)).status).toBe(410);
      });
    },
    120_000,
  );
});
