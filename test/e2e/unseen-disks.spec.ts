import { afterEach, describe, expect, it } from '@jest/globals';

import type { AgentKind } from '#lab/vma/agent';

import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { type RunningOma, runningOma } from '../kit/running-oma.js';
import { smallVm, startSmallLab } from '../kit/small-guests.js';

/** A name that can't stand in a path as it is. */
const NAME = 'db/blue';
const PATH = '/Lab/vm/db%2fblue';

describe('no backup, not even a full one, begins while', () => {
  let lab: Awaited<ReturnType<typeof startSmallLab>>;
  let oma: RunningOma;
  let vm: ProtectedVm;
  const begin = async (agentKind: AgentKind) => {
    lab = await startSmallLab([{ ...smallVm(NAME, [1, 1]), path: PATH }], { agentKind });
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_VMA_TOKEN: lab.agentToken, OMA_NBD_PORTS: '24500-24519' });
    lab.connect(oma.api.url);
    vm = await protect(oma.api, lab, NAME, oma.dataDir);
  };
  afterEach(async () => {
    await oma.clear();
    await lab.clear();
  });

  const full = () =>
    oma.api.post('/backup/start', {
      vm_name: vm.contextId,
      repository_id: vm.repositoryId,
      backup_type: 'full',
    });
  const jobs = async () => (await oma.api.get('/jobs')).body['jobs'];

  it('the agent can not tell which disks there are, and then it has those that came meanwhile', async () => {
    await begin('modern');
    lab.misbehave({ refuse_questions: 'vCenter takes its time' });
    expect(await full()).toMatchObject({ status: 503, body: { code: 'vma-refuses' } });
    lab.misbehave({ nonsense: 'html' });
    expect(await full()).toMatchObject({ status: 503, body: { code: 'vma-talks-nonsense' } });
    lab.misbehave({ vanish_at_byte: 0 });
    expect(await full()).toMatchObject({ status: 503, body: { code: 'vma-away' } });
    expect(await jobs()).toEqual([]);

    lab.misbehave({});
    await lab.guest(PATH, 2000).resize(2 * 1024 * 1024);
    const jobId = await startBackup(oma.api, vm);
    expect(await endOf(oma.api, jobId)).toMatchObject({ status: 'completed' });
    const { body } = await oma.api.get<{ disks: object[] }>(`/backup/${jobId}`);
    expect(body.disks).toMatchObject([{ size_bytes: 2 * 1024 * 1024 }, { size_bytes: 1024 * 1024 }]);
  });

  it('an agent of the first generation finds no such VM; it is found though the agent guesses at its path', async () => {
    await begin('legacy');
    lab.misbehave({ hide_vms: [PATH] });
    const gone = { code: 'vm-not-in-vcenter', vm_context_id: vm.contextId };
    expect(await full()).toMatchObject({ status: 422, body: gone });
    expect(await jobs()).toEqual([]);

    lab.misbehave({ hide_disks: [2016] });
    expect(await full()).toMatchObject({ status: 422, body: { code: 'vm-disks-changed' } });
    lab.misbehave({});
    const jobId = await startBackup(oma.api, vm);
    expect(await endOf(oma.api, jobId)).toMatchObject({ status: 'completed' });
  });
});
