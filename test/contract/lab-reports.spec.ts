import { readFileSync, statSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { eventually } from '../kit/eventually.js';
import { KIB64, LabCopies, MIB, tinyVm } from '../kit/lab-copies.js';
import { ListeningOma } from '../kit/listening-oma.js';

describe("the lab's agent tells OMA", () => {
  let copies: LabCopies;
  let oma: ListeningOma;
  beforeEach(async () => {
    copies = new LabCopies();
    oma = new ListeningOma();
    await oma.listen();
    await copies.start({ vms: tinyVm(2, 2), omaUrl: oma.url, agentToken: 'secret' });
  });
  afterEach(async () => {
    await copies.clear();
    await oma.close();
  });

  const completions = (count: number) =>
    eventually(() => {
      const told = oma.saying('/complete');
      expect(told).toHaveLength(count);
      return told;
    });
  const bothDisks = async () => [{ image: await copies.image() }, { image: await copies.image(), deviceKey: 2001 }];

  it('of every disk that is complete, with its token', async () => {
    await copies.begin('job-1', await bothDisks());
    const { disk_progresses } = await copies.whenOver('job-1');
    expect(await completions(2)).toEqual(
      disk_progresses.map(({ device_key, change_id }) => ({
        route: 'POST /api/v1/backups/job-1/complete',
        token: 'Bearer secret',
        body: { device_key, change_id, bytes_transferred: 2 * MIB },
      })),
    );
  });

  it('how far a job is, every second and at its end', async () => {
    copies.lab.misbehave({ bytes_per_second: 3 * MIB });
    await copies.begin('job-1', await bothDisks());
    await copies.whenOver('job-1');
    const last = await eventually(() => {
      const told = oma.saying('/telemetry/backup/job-1').at(-1);
      expect(told?.body).toMatchObject({ status: 'completed' });
      return told;
    });
    expect(last?.body).toEqual({
      job_id: 'job-1',
      status: 'completed',
      bytes_transferred: 4 * MIB,
      total_bytes: 4 * MIB,
      disks: [2000, 2001].map((device_key) => ({
        device_key,
        bytes_transferred: 2 * MIB,
        total_bytes: 2 * MIB,
        status: 'Completed',
      })),
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(oma.saying('/telemetry/').length).toBeGreaterThanOrEqual(3);
  });

  it('again when it was not heard, and goes on without being heard', async () => {
    let failures = 2;
    oma.answer = (route) => ({ status: route.includes('/complete') && failures-- > 0 ? 503 : 200, body: {} });
    await copies.begin('job-1', [{ image: await copies.image() }]);
    await completions(3);
    await oma.close();
    await copies.begin('job-2', [{ image: await copies.image() }]);
    expect((await copies.whenOver('job-2')).status).toBe('completed');
    oma = new ListeningOma();
    await oma.listen();
  });

  it('once what OMA refuses', async () => {
    oma.answer = () => ({ status: 409, body: {} });
    // The second disk takes longer than telling of the first one again would.
    copies.lab.misbehave({ bytes_per_second: 2 * MIB });
    await copies.begin('job-1', await bothDisks());
    await copies.whenOver('job-1');
    expect(oma.saying('/complete').filter(({ body }) => body['device_key'] === 2000)).toHaveLength(1);
  });

  it('where it is told to later, with a token that it keeps to itself', async () => {
    await copies.restart({ vms: tinyVm() });
    const token = copies.lab.agentToken;
    expect(token).toMatch(/^[\w-]{20,}$/);
    expect(readFileSync(copies.path('lab/agent-token'), 'utf8')).toBe(`${token}\n`);
    expect(statSync(copies.path('lab/agent-token')).mode & 0o777).toBe(0o600);
    expect(await (await copies.call('GET', '/lab/facts')).text()).not.toContain(token);
    await copies.full('unheard');
    expect((await copies.call('POST', '/lab/connect', { oma_url: oma.url })).status).toBe(200);
    await copies.full('heard');
    const [told] = await completions(1);
    expect(told).toMatchObject({ route: 'POST /api/v1/backups/heard/complete', token: `Bearer ${token}` });
    await copies.restart({ vms: tinyVm() });
    expect(copies.lab.agentToken).toBe(token);
  });

  describe('wrongly on request:', () => {
    const told = async (settings: object) => {
      await copies.call('POST', '/lab/misbehave', settings);
      await copies.begin('job-1', [{ image: await copies.image() }]);
      const [disk] = (await copies.whenOver('job-1')).disk_progresses;
      return disk?.change_id ?? '';
    };

    it('a change id that is none', async () => {
      await told({ wrong_change_id: 'malformed' });
      expect((await completions(1))[0]?.body).toMatchObject({ change_id: 'not a change id' });
    });

    it('another change id than it tells who asks', async () => {
      const changeId = await told({ wrong_change_id: 'another' });
      expect((await completions(1))[0]?.body).toMatchObject({ change_id: changeId.replace(/1$/, '2') });
    });

    it('of another disk', async () => {
      await told({ complete_wrong_disk: true });
      expect((await completions(1))[0]?.body).toMatchObject({ device_key: 2001 });
    });

    it.each(['same', 'otherwise'])('twice (%s)', async (second) => {
      await told({ complete_twice: second });
      const [one, two] = await completions(2);
      expect(one?.body['change_id'] === two?.body['change_id']).toBe(second === 'same');
    });

    it('that it has less and less', async () => {
      await told({ telemetry_backwards: true });
      await eventually(() => {
        expect(oma.saying('/telemetry/').at(-1)?.body).toMatchObject({ status: 'completed' });
      });
      const counts = oma.saying('/telemetry/').map(({ body }) => body['bytes_transferred']);
      expect([counts[0], counts.at(-1)]).toEqual([2 * MIB, 0]);
    });
  });

  describe('of old', () => {
    const job = (n: number, step: number) => `backup-job-${step}-disk${n}`;
    beforeEach(async () => {
      await copies.restart({ vms: tinyVm(2, 2), omaUrl: oma.url, agentToken: 'secret', agentKind: 'legacy' });
    });
    const lastChangeId = () => String(oma.saying('/complete').at(-1)?.body['change_id']);

    it('asks where to begin, copies everything when OMA does not know, and hands the change id in', async () => {
      oma.answer = () => ({ status: 200, body: { change_id: '', message: '' } });
      const image = await copies.image();
      await copies.begin(job(7, 1), [{ image }]);
      const over = await copies.whenOver(job(7, 1));
      await image.end();
      expect(copies.holds(image, await copies.now('now'))).toBe(true);
      expect(oma.told.map(({ route, token }) => [route, token])).toEqual([
        [`GET /api/v1/backups/changeid?vm_name=tiny&disk_id=7&job_id=${job(7, 1)}`, 'Bearer secret'],
        [`POST /api/v1/backups/${job(7, 1)}/complete`, 'Bearer secret'],
      ]);
      expect(oma.told[1]?.body).toEqual({ change_id: expect.any(String), disk_id: 7, bytes_transferred: 0 });
      expect(over.disk_progresses[0]).not.toHaveProperty('change_id');
      expect(over.disk_progresses[0]).not.toHaveProperty('mode');
    });

    it('copies what changed since the change id that OMA knows, and everything when it does not fit', async () => {
      const full = await copies.image();
      await copies.begin(job(0, 1), [{ image: full }]);
      await copies.whenOver(job(0, 1));
      await full.end();
      const changeId = lastChangeId();
      oma.answer = () => ({ status: 200, body: { change_id: changeId, message: '' } });
      await copies.guest().write(KIB64, Buffer.from('changed'));
      const next = await copies.image(undefined, full.file);
      await copies.begin(job(0, 2), [{ image: next }]);
      expect(await copies.whenOver(job(0, 2))).toMatchObject({ total_bytes: KIB64, sync_type: 'incremental' });
      await next.end();
      expect(copies.holds(next, await copies.now('now'))).toBe(true);
      await copies.guest().resetTracking();
      await copies.begin(job(0, 3), [{ image: await copies.image() }]);
      expect(await copies.whenOver(job(0, 3))).toMatchObject({ total_bytes: 2 * MIB, sync_type: 'full' });
    });

    it('knows only the questions of old', async () => {
      const health = (await (await copies.call('GET', '/api/v1/health')).json()) as object;
      expect(health).not.toHaveProperty('capabilities');
      const image = await copies.image();
      await copies.begin(job(0, 1), [{ image }]);
      await copies.whenOver(job(0, 1));
      for (const [method, path] of [
        ['POST', '/api/v1/backup/stop'],
        ['POST', '/api/v1/backup/preflight'],
        ['GET', `/api/v1/backup/${job(0, 1)}/hashes/2000`],
      ] as const) {
        const answer = await copies.call(method, path, method === 'POST' ? {} : undefined);
        expect([path, answer.status]).toEqual([path, 404]);
      }
    });

    it('takes one disk per job, under an id that names it', async () => {
      const both = await copies.begin(job(0, 1), await bothDisks());
      expect([both.status, await both.text()]).toEqual([400, expect.stringContaining('nbd_targets must be')]);
      const unnamed = await copies.begin('job-1', [{ image: await copies.image() }]);
      expect([unnamed.status, await unnamed.text()]).toEqual([400, expect.stringContaining('job_id must be')]);
    });
  });
});
