import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Json } from '../kit/api-client.js';
import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { filesOfBackups, leftBehind } from '../kit/left-behind.js';
import { doubledFacts, LogWatch } from '../kit/log-watch.js';
import { OmaProcess } from '../kit/oma-process.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';

const DEVICE_KEY = 2000;
const STEPS = [
  'start',
  'preflight',
  'agent-check',
  `image:${DEVICE_KEY}`,
  `export:${DEVICE_KEY}`,
  'agent',
  'copy',
  `finish:${DEVICE_KEY}`,
  `verify:${DEVICE_KEY}`,
  `proving:${DEVICE_KEY}`,
  'prove',
  `sidecar:${DEVICE_KEY}`,
  'conclude:end',
  'conclude:release',
];
const MOMENTS = ['EffectRequested', 'EffectSucceeded'] as const;
const WITHIN_SECONDS = 60;

describe('a backup whose OMA is killed', () => {
  let oma: OmaProcess;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;
  let log: LogWatch;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await OmaProcess.start({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21100-21199' });
    vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
    log = await LogWatch.open(oma.databaseUrl);
  }, 120_000);

  afterAll(async () => {
    await log.close();
    await oma.clear();
    await lab.clear();
  }, 60_000);

  const cases = STEPS.flatMap((step) => MOMENTS.map((moment) => ({ step, moment })));

  it.each(cases)(
    'at $moment of $step ends by itself, truthfully, and leaves nothing',
    async ({ step, moment }) => {
      const before = filesOfBackups(vm.repositoryPath);
      const jobId = await startBackup(oma.api, vm);
      expect(await log.until(`takebackup-${jobId}`, moment, step)).toBe(true);
      await oma.kill();
      await oma.restart();
      const job = await endOf(oma.api, jobId, WITHIN_SECONDS);
      await eventually(async () => {
        const events = await log.events(`takebackup-${jobId}`);
        expect(events.at(-1)?.type).toBe('SagaEnded');
      }, WITHIN_SECONDS);
      await theJobIsTrue(job, before);
      expect(leftBehind(join(oma.dataDir, 'run'))).toEqual([]);
      expect(doubledFacts(await log.events(`takebackup-${jobId}`))).toEqual([]);
      const facts = (await log.events(`backup-${jobId}`)).map((event) => event.type);
      expect(facts).toEqual([
        'BackupStarted',
        ...(job['status'] === 'completed' ? ['BackupProven', 'BackupCompleted'] : ['BackupFailed']),
      ]);
    },
    120_000,
  );

  it('can be followed by another one', async () => {
    expect(await endOf(oma.api, await startBackup(oma.api, vm))).toMatchObject({ status: 'completed' });
  }, 60_000);

  /** Completed means identical to the source; failed means that nothing new lies in the repository. */
  async function theJobIsTrue(job: Json, before: readonly string[]): Promise<void> {
    if (job['status'] !== 'completed') {
      expect(job).toMatchObject({ status: 'failed', leftovers: [], error: { message: expect.any(String) } });
      expect(filesOfBackups(vm.repositoryPath)).toEqual(before);
      return;
    }
    const { body } = await oma.api.get<{ disks: { file_path: string }[] }>(`/backup/${String(job['job_id'])}`);
    const image = join(vm.repositoryPath, String(body.disks[0]?.file_path));
    const source = lab.vms.find((one) => one.name === 'db-01')?.disks[0]?.file ?? '';
    const compared = ['compare', '-f', 'raw', '-F', 'qcow2', source, image];
    expect(execFileSync('qemu-img', compared, { encoding: 'utf8' })).toContain('identical');
  }
});
