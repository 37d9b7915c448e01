import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { processesWithArgument } from '#platform/processes/process-table';

import { kill } from '../kit/disk-world.js';
import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { filesOfBackups } from '../kit/left-behind.js';
import { OmaProcess } from '../kit/oma-process.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';

const MIB = 1024 * 1024;
const HANG_AT = 4 * MIB;

describe('an export that is killed', () => {
  let oma: OmaProcess;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await OmaProcess.start({
      OMA_VMA_URL: lab.url,
      OMA_NBD_PORTS: '21600-21699',
      OMA_AGENT_STALLED_SECONDS: '5',
    });
    vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
  }, 120_000);

  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  }, 60_000);

  const copying = async () => {
    lab.misbehave({ hang_at_byte: HANG_AT });
    const jobId = await startBackup(oma.api, vm);
    await eventually(async () => {
      expect((await oma.api.get(`/backup/${jobId}`)).body['bytes_transferred']).toBeGreaterThanOrEqual(HANG_AT);
    });
    return jobId;
  };
  const killExports = async () => {
    const run = join(oma.dataDir, 'run');
    const found = await processesWithArgument((argument) => argument.startsWith(`--pid-file=${run}/`));
    expect(found.length).toBe(1);
    for (const { pid } of found) kill(pid);
  };
  const onlyImage = () => {
    const names = readdirSync(vm.repositoryPath, { recursive: true, encoding: 'utf8' });
    return join(vm.repositoryPath, names.find((name) => name.endsWith('.qcow2')) ?? '');
  };
  const source = () => lab.vms.find((one) => one.name === 'db-01')?.disks[0]?.file ?? '';

  it('fails the backup, although the check of its image is content with bytes that differ', async () => {
    const jobId = await copying();
    await oma.kill();
    await killExports();
    const image = onlyImage();
    // The evidence of this case: nothing that qemu-img looks at is wrong, and the content is not the source's.
    execFileSync('qemu-img', ['check', image], { stdio: 'ignore' });
    expect(spawnSync('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', source(), image]).status).toBe(1);
    lab.misbehave({});
    await oma.restart();
    const job = await endOf(oma.api, jobId);
    expect(job).toMatchObject({ status: 'failed', leftovers: [] });
    expect(filesOfBackups(vm.repositoryPath)).toEqual([]);
  }, 60_000);

  it('is noticed while OMA lives, and ends the backup by itself', async () => {
    const jobId = await copying();
    await killExports();
    const job = await endOf(oma.api, jobId, 20);
    expect(job).toMatchObject({ status: 'failed', leftovers: [] });
    expect(filesOfBackups(vm.repositoryPath)).toEqual([]);
    lab.misbehave({});
    expect(await endOf(oma.api, await startBackup(oma.api, vm))).toMatchObject({ status: 'completed' });
  }, 60_000);
});
