import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import type { Json } from '../kit/api-client.js';
import { startTestLab } from '../kit/lab.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';

describe('credentials and discovery', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let credentialId: number;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url });
    const { body } = await store('main');
    credentialId = (body['credential'] as { id: number }).id;
  }, 120_000);

  afterEach(() => {
    lab.misbehave({});
  });

  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  });

  const store = (name: string, more: Json = {}) => {
    const { host, username, password, datacenter } = lab.vcenter;
    return oma.api.post('/vmware-credentials', {
      credential_name: name,
      vcenter_host: host,
      username,
      password,
      datacenter,
      ...more,
    });
  };
  const discover = (more: Json = {}) =>
    oma.api.post('/discovery/discover-vms', { credential_id: credentialId, ...more });
  const add = (...names: string[]) =>
    oma.api.post<{ processed_vms: Json[] } & Json>('/discovery/add-vms', {
      credential_id: credentialId,
      vm_names: names,
    });

  describe('credentials', () => {
    it('never show their password, and the first one is the default', async () => {
      const { body, status } = await oma.api.get('/vmware-credentials');
      expect(status).toBe(200);
      expect(body).toMatchObject({ count: 1, status: 'success' });
      const [only] = body['credentials'] as Json[];
      expect(only).toMatchObject({ id: credentialId, credential_name: 'main', is_active: true, is_default: true });
      expect(Object.keys(only ?? {})).not.toContain('password');
      expect(JSON.stringify(body)).not.toContain(lab.vcenter.password);
    });

    it('keep is_active false, and refuse an inactive default', async () => {
      const { status, body } = await store('asleep', { is_active: false });
      expect(status).toBe(201);
      expect(body['credential']).toMatchObject({ is_active: false, is_default: false });
      const inactive = (body['credential'] as { id: number }).id;
      expect(await discover({ credential_id: inactive })).toMatchObject({
        status: 422,
        body: { code: 'credential-inactive' },
      });
      expect(await store('odd', { is_active: false, is_default: true })).toMatchObject({
        status: 422,
        body: { code: 'default-must-be-active' },
      });
    });

    it('have names of their own, whatever their case', async () => {
      expect(await store('MAIN')).toMatchObject({ status: 409, body: { code: 'already-exists' } });
    });

    it('need every field', async () => {
      const { status, body } = await oma.api.post('/vmware-credentials', { credential_name: 'half' });
      expect(status).toBe(400);
      const fields = (body['errors'] as { field: string }[]).map(({ field }) => field).sort();
      expect(fields).toEqual(['datacenter', 'password', 'username', 'vcenter_host']);
    });
  });

  describe('discovery', () => {
    it('shows the VMs of the datacenter with their disks', async () => {
      const { status, body } = await discover({ filter: 'WEB' });
      expect(status).toBe(200);
      expect(body).toMatchObject({ status: 'success', discovery_count: 1 });
      const [web] = body['discovered_vms'] as { disks: { id: string; capacity_bytes: number }[]; existing: boolean }[];
      const source = lab.vms.find((vm) => vm.name === 'web-01');
      expect(web?.disks.map((disk) => [disk.id, disk.capacity_bytes])).toEqual(
        source?.disks.map((disk) => [`disk-${disk.deviceKey}`, disk.sizeBytes]),
      );
    });

    it('works with an account that is kept nowhere', async () => {
      const { host, username, password, datacenter } = lab.vcenter;
      const lent = { vcenter: host, username, password, datacenter };
      expect((await oma.api.post('/discovery/discover-vms', lent)).status).toBe(200);
      const { status, body } = await oma.api.post('/discovery/discover-vms', { ...lent, password: 'wrong-canary' });
      expect({ status, code: body['code'] }).toEqual({ status: 503, code: 'vma-refuses' });
      expect(JSON.stringify(body)).not.toContain('wrong-canary');
    });

    it('names what is missing of an account', async () => {
      const { status, body } = await oma.api.post('/discovery/discover-vms', { vcenter: 'x', username: 'y' });
      expect(status).toBe(400);
      expect((body['errors'] as { field: string }[]).map(({ field }) => field)).toEqual(['password', 'datacenter']);
    });

    it('says 404 for an unknown credential', async () => {
      expect(await discover({ credential_id: 4711 })).toMatchObject({
        status: 404,
        body: { code: 'unknown-credential', credential_id: 4711 },
      });
    });

    it.each([
      ['not-json', 'vma-talks-nonsense'],
      ['html', 'vma-talks-nonsense'],
      ['wrong-types', 'vma-talks-nonsense'],
    ] as const)('calls an agent that answers %s by its name', async (nonsense, code) => {
      lab.misbehave({ nonsense });
      expect(await discover()).toMatchObject({ status: 503, body: { code } });
    });

    it('says that nobody answers when the agent has vanished', async () => {
      lab.misbehave({ vanish_at_byte: 0 });
      expect(await discover()).toMatchObject({ status: 503, body: { code: 'vma-away' } });
    });
  });

  describe('adding VMs', () => {
    it('puts a VM under care once, however often and at once it is asked', async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => add('db-01')));
      const processed = answers.flatMap(({ body }) => body.processed_vms);
      expect(new Set(processed.map((one) => one['context_id'])).size).toBe(1);
      expect(processed.filter((one) => one['already_existed'] === false)).toHaveLength(1);
      const { body } = await oma.api.get<{ vm_contexts: Json[] }>('/vm-contexts');
      expect(body.vm_contexts.filter((one) => one['vm_name'] === 'db-01')).toHaveLength(1);
    });

    it('says of each name what became of it, and drops none', async () => {
      const { body } = await add('db-01', 'nobody', 'twin');
      expect(body).toMatchObject({ vms_added: 0, vms_skipped: 1, vms_failed: 2, total_vms: 3 });
      const twin = body.processed_vms.find((one) => one['vm_name'] === 'twin');
      expect(twin?.['candidates']).toHaveLength(2);
    });

    it('keeps VMs of one name apart: the name is ambiguous, the context id is not', async () => {
      const twins = lab.vms.filter((vm) => vm.name === 'twin');
      const { body } = await add(...twins.map((vm) => vm.path));
      expect(body['vms_added']).toBe(2);
      const ids = body.processed_vms.map((one) => String(one['context_id']));
      const ambiguous = await oma.api.get<{ candidates: { context_id: string }[] } & Json>('/vm-contexts/twin');
      expect(ambiguous).toMatchObject({ status: 409, body: { code: 'ambiguous-vm-name' } });
      const list = await oma.api.get('/backup/list?vm_name=twin');
      expect(list).toMatchObject({ status: 409, body: { candidates: ambiguous.body.candidates } });
      expect(ambiguous.body.candidates.map((one) => one.context_id).sort()).toEqual([...ids].sort());
      for (const id of ids) {
        expect((await oma.api.get(`/vm-contexts/${id}`)).status).toBe(200);
        expect((await oma.api.get(`/vm-contexts/by-id/${id}`)).status).toBe(200);
      }
    });

    it('shows a VM by name with its disks, by device key', async () => {
      await add('web-01');
      const { status, body } = await oma.api.get<{ disks: Json[] } & Json>('/vm-contexts/web-01');
      expect(status).toBe(200);
      expect(body.disks.map((disk) => [disk['disk_id'], disk['device_key']])).toEqual([
        [0, 2000],
        [1, 2001],
      ]);
      expect((await oma.api.get('/vm-contexts/by-id/web-01')).status).toBe(404);
    });

    it('answers 404 with the name of an unknown VM', async () => {
      expect(await oma.api.get('/vm-contexts/no%2Fsuch%20vm')).toMatchObject({
        status: 404,
        body: { code: 'unknown-vm', vm: 'no/such vm' },
      });
    });
  });
});
