import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { processesWithArgument } from '#platform/processes/process-table';

import type { ApiClient, Json } from '../kit/api-client.js';
import { eventually } from '../kit/eventually.js';
import { expectIdentical, type KeptPoint, takePoint } from '../kit/kept-points.js';
import { protect, type ProtectedVm } from '../kit/protected-vm.js';
import { type RunningOma, runningOma } from '../kit/running-oma.js';
import { KIB, MIB, smallVm, startSmallLab } from '../kit/small-guests.js';

const FIRST_PORT = 24_520;
const PORTS = 20;
const CHANGE_ID = '52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81';

interface Site {
  readonly name: string;
  /** As awkward as people make them: it may end in what looks like a disk, and be no name for a file. */
  readonly vmName: string;
  readonly lab: Awaited<ReturnType<typeof startSmallLab>>;
  vm: ProtectedVm;
}

describe('two agents beside two vCenters', () => {
  let oma: RunningOma;
  let sites: readonly Site[];
  beforeAll(async () => {
    sites = await Promise.all(
      ['berlin', 'paris'].map(async (name): Promise<Site> => {
        const vmName = `${name} "ü"; rm -disk7`;
        const lab = await startSmallLab([smallVm(vmName, [2])], { vcenterHost: `vcenter.${name}.example` });
        return { name, vmName, lab, vm: { contextId: '', repositoryId: '', repositoryPath: '', credentialId: 0 } };
      }),
    );
    const agents = sites.map(({ name, lab }) => ({
      name,
      url: lab.url,
      token: lab.agentToken,
      vcenter_hosts: [lab.vcenter.host.toUpperCase()],
    }));
    const file = join(sites[0]?.lab.folder ?? '', 'agents.json');
    writeFileSync(file, JSON.stringify(agents), { mode: 0o600 });
    oma = await runningOma({ OMA_AGENTS_FILE: file, OMA_NBD_PORTS: `${FIRST_PORT}-${FIRST_PORT + PORTS - 1}` });
    for (const site of sites) {
      site.lab.connect(oma.api.url);
      site.vm = await protect(oma.api, site.lab, site.vmName, oma.dataDir);
      await site.lab.guest(`/Lab/vm/${site.vmName}`, 2000).write(0, Buffer.alloc(MIB, site.name));
    }
  }, 60_000);
  afterAll(async () => {
    await oma.clear();
    for (const { lab } of sites) await lab.clear();
  });

  const take = ({ vmName, lab, vm }: Site): Promise<KeptPoint> =>
    takePoint(oma.api, lab, vm, `/Lab/vm/${vmName}`, lab.folder);
  const nameOf = (index: number) => encodeURIComponent(sites[index]?.vmName ?? '');
  /** The job of each agent, once its disk is being copied. */
  const underWay = async (): Promise<readonly string[]> => {
    const { body } = await oma.api.get<{ jobs: { job_id: string; vm_name: string }[] }>('/jobs?status=running');
    const ids = sites.map(({ vmName }) => body.jobs.find((job) => job.vm_name === vmName)?.job_id ?? '');
    for (const id of ids) expect((await oma.api.get(`/jobs/${id}`)).body['current_step']).toBe('Copy the disks');
    return ids;
  };
  const exportOf = async (jobId: string) => {
    const [found] = await processesWithArgument((argument) => argument.includes(jobId));
    const said = (option: string) => found?.args.find((one) => one.startsWith(option))?.slice(option.length) ?? '';
    return { port: Number(said('--port=')), name: said('--export-name='), bind: said('--bind=') };
  };
  const asAgent = (index: number): ApiClient => oma.api.as(sites[index]?.lab.agentToken ?? '');

  it('copy at once through ports of their own slices, and neither may speak of the job of the other', async () => {
    for (const { lab } of sites) lab.misbehave({ hang_at_byte: 64 * KIB });
    const points = Promise.all(sites.map(take));
    const [first = '', second = ''] = await eventually(underWay);
    const [ofFirst, ofSecond] = [await exportOf(first), await exportOf(second)];
    expect([ofFirst, ofSecond]).toMatchObject([
      { port: FIRST_PORT, bind: '127.0.0.1' },
      { port: FIRST_PORT + PORTS / 2, bind: '127.0.0.1' },
    ]);
    expect(ofFirst.name).toMatch(/^[0-9a-f]{32}$/);
    expect(ofSecond.name).toMatch(/^[0-9a-f]{32}$/);
    expect(ofSecond.name).not.toBe(ofFirst.name);

    const unknown = { status: 404, body: { code: 'unknown-backup' } };
    const body = { change_id: CHANGE_ID, disk_id: 0 };
    expect(await asAgent(1).post(`/backups/${first}/complete`, body)).toMatchObject(unknown);
    expect(await asAgent(1).post(`/telemetry/backup/${first}`, { bytes_transferred: 1 })).toMatchObject(unknown);
    expect(await asAgent(1).get(`/backups/changeid?vm_name=${nameOf(0)}&job_id=${first}`)).toMatchObject(unknown);
    expect((await asAgent(1).get(`/backups/changeid?vm_name=${nameOf(0)}`)).body).not.toHaveProperty('backup_job_id');
    expect((await asAgent(0).get(`/backups/changeid?vm_name=${nameOf(0)}`)).body).toMatchObject({
      backup_job_id: first,
    });

    for (const { lab } of sites) lab.misbehave({});
    for (const [index, point] of (await points).entries()) {
      expect(point.job).toMatchObject({ status: 'completed' });
      expectIdentical(
        sites[index]?.vm ?? { contextId: '', repositoryId: '', repositoryPath: '', credentialId: 0 },
        point,
      );
    }
    const { body: listed } = await oma.api.get<{ backups: Json[] }>(`/backup/list?vm_name=${nameOf(1)}`);
    expect(listed.backups).toMatchObject([{ backup_id: second, vm_name: sites[1]?.vmName }]);
  });
});
