import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { CredentialInactive, UnknownCredential } from '#domain/credential/credential.errors';
import type { JsonObject } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import type { Logger } from '#platform/logging/logger.port';
import { ExecaProcessRunner } from '#platform/processes/execa.process-runner';
import { NbdExports } from '#platform/qemu/nbd-exports';
import { NbdPorts } from '#platform/qemu/nbd-ports';
import { EffectError, type EffectExecutor } from '#platform/sagas/effect.port';
import { Agents } from '#platform/vma/agents';
import { agentExecutors } from '#platform/vma/agent.executors';
import { BackupProgress, type ProgressColumn } from '#platform/vma/backup-progress';
import { CompletionCalls } from '#platform/vma/completion-calls';
import type { FollowTimes } from '#platform/vma/follow';
import { HttpVmaClient } from '#platform/vma/http.vma-client';
import { VcenterCredentials } from '#platform/vma/vcenter-credentials.port';
import type { VcenterAccount } from '#platform/vma/vma-client.port';

import { freshDatabase } from '../kit/database.js';
import { effectContext } from '../kit/disk-world.js';
import { eventually } from '../kit/eventually.js';
import { dropsConnection, html, json, type Reply, says, ScriptedVma, silence } from '../kit/scripted-vma.js';
import { silentLog } from '../kit/silent-log.js';

/** As the rows of other statements have it; jobs of which no agent spoke are left out. */
async function progressOf(database: Database, jobIds: readonly string[]) {
  const rows = await database.query<{ id: string; progress: ProgressColumn }>(
    `select id, ${BackupProgress.column('id')} as progress from unnest($1::text[]) as id`,
    [jobIds],
  );
  const spokenOf = rows.filter(({ progress }) => progress !== null);
  return new Map(spokenOf.map(({ id, progress }) => [id, BackupProgress.read(progress)]));
}

/** Five seconds become 100 ms. */
const IMPATIENT = 0.02;
const TIMES: FollowTimes = { firstPollMs: 5, pollMs: 5, awaySeconds: 0.4, stalledSeconds: 0.8, nonsenseAnswers: 5 };
const PASSWORD = 'sw0rdfish';
const HEALTH = 'GET /health';
const START = 'POST /backup/start';
const PROGRESS = 'GET /progress/job-1';
const STOP = 'POST /backup/stop';
const FOLLOW_ARGS = {
  agent: 'one',
  together: true,
  jobId: 'job-1',
  credentialId: 1,
  disks: [
    { diskId: 0, deviceKey: 2000, sizeBytes: 1000, baseChangeId: null },
    { diskId: 1, deviceKey: 2001, sizeBytes: 2000, baseChangeId: null },
  ],
};
const SIZES = new Map(FOLLOW_ARGS.disks.map(({ deviceKey, sizeBytes }) => [deviceKey, sizeBytes]));
const EPOCH = '52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63';

class OneCredential extends VcenterCredentials {
  open(credentialId: number): Promise<VcenterAccount> {
    if (credentialId === 2) return Promise.reject(new CredentialInactive(2));
    if (credentialId !== 1) return Promise.reject(new UnknownCredential(credentialId));
    return Promise.resolve({ vcenterHost: 'vcenter', username: 'backup', password: PASSWORD, datacenter: 'DC1' });
  }
}

/** A disk as the agent tells of it; a change id only when there is one. */
function disk(device_key: number, bytes_transferred: number, change_id?: string): object {
  const total_bytes = SIZES.get(device_key) ?? 0;
  const told = { mode: 'full', base_change_id: null, ...(change_id !== undefined && { change_id }) };
  return { device_key, bytes_transferred, total_bytes, ...told };
}

function says200(status: string, ...disks: readonly object[]): Reply {
  return json({ status, disk_progresses: disks });
}

/** A job that is done, by its own account, with a disk that isn't. */
function failedDisk(status = 'failed') {
  const one = (device_key: number, bytes: number, own: string) => ({
    device_key,
    bytes_transferred: bytes,
    total_bytes: bytes,
    status: own,
    mode: 'full',
  });
  return { status: 'completed', disk_progresses: [one(2000, 1000, status), one(2001, 2000, 'Completed')] };
}

describe('effects on an agent', () => {
  let agent: ScriptedVma;
  let database: Database;
  let drop: () => Promise<void>;
  let progress: BackupProgress;
  let calls: CompletionCalls;
  let ports: NbdPorts;
  let warnings: unknown[];
  beforeEach(async () => {
    agent = await ScriptedVma.listen();
    ({ database, drop } = await freshDatabase());
    progress = new BackupProgress(database);
    calls = new CompletionCalls();
    ports = new NbdPorts(database, { first: 10_100, last: 10_109 });
    warnings = [];
  });
  afterEach(async () => {
    await agent.close();
    await drop();
  });

  const executor = (kind: string, times: Partial<FollowTimes> = {}): EffectExecutor => {
    const logger: Logger = {
      debug: silentLog.debug,
      info: silentLog.info,
      warn: (fields, message) => warnings.push({ fields, message }),
      error: silentLog.error,
    };
    const found = agentExecutors({
      agents: new Agents([
        { name: 'one', client: new HttpVmaClient(agent.baseUrl, IMPATIENT), token: null, vcenterHosts: [] },
      ]),
      credentials: new OneCredential(),
      nbdExports: new NbdExports(new ExecaProcessRunner(), ports, '/nonexistent'),
      progress,
      calls,
      logger,
      times: { ...TIMES, ...times },
    }).find((one) => one.kind === kind);
    if (found === undefined) throw new Error(`no executor for ${kind}`);
    return found;
  };
  const failureOf = async (work: Promise<unknown>): Promise<EffectError> => {
    const error = await work.then(
      () => null,
      (reason: unknown) => reason,
    );
    if (!(error instanceof EffectError)) throw new Error(`not an effect's failure: ${inspect(error)}`);
    return error;
  };

  describe('agent.check', () => {
    const check = () => executor('agent.check').execute({ agent: 'one' }, effectContext());

    it('leaves nothing behind to look at', async () => {
      await expect(executor('agent.check').observe({ agent: 'one' }, effectContext())).resolves.toEqual({
        state: 'absent',
      });
      expect(agent.asked).toEqual([]);
    });

    it.each([
      ['of the first generation', {}, { together: false, hashes: false }],
      ['of today', { capabilities: ['disks', 'hashes', 'stop', 'song'] }, { together: true, hashes: true }],
    ])('says what a healthy agent %s can do', async (_what, said, ways) => {
      agent.on(HEALTH, json({ status: 'healthy', ...said }));
      await expect(check()).resolves.toEqual(ways);
    });

    it('fails for good when there is no such agent any more', async () => {
      const error = await failureOf(executor('agent.check').execute({ agent: 'gone' }, effectContext()));
      expect(error).toMatchObject({ certainty: 'permanent', failure: { code: 'no-agent' } });
    });

    it.each<[string, Reply, string, string]>([
      ['is away', dropsConnection, 'vma-away', 'transient'],
      ['is too slow', silence, 'vma-away', 'transient'],
      ['refuses', says(500, 'not now'), 'vma-refuses', 'permanent'],
      ['talks nonsense', html, 'vma-talks-nonsense', 'permanent'],
    ])("fails in the user's words when the agent %s", async (_what, reply, code, certainty) => {
      agent.on(HEALTH, reply);
      const error = await failureOf(check());
      expect(error).toMatchObject({ certainty, failure: { code } });
      expect(error.failure.message).toContain('agent');
      expect(error.failure.remedy).toContain('check');
    });
  });

  describe('agent.start', () => {
    const args = (changes: JsonObject = {}): JsonObject => ({
      agent: 'one',
      together: true,
      jobId: 'job-1',
      vmName: 'web',
      vmPath: '/DC1/vm/web',
      credentialId: 1,
      disks: [{ diskId: 0, deviceKey: 2000, exportId: 'job-1-2000', sizeBytes: 1000, baseChangeId: null }],
      ...changes,
    });
    const start = (changes?: JsonObject) => executor('agent.start').execute(args(changes), effectContext());
    const observe = () => executor('agent.start').observe(args(), effectContext());

    it('tells the agent where the exports are and with which account', async () => {
      const { port, exportName } = await ports.claim('job-1-2000', new Set());
      agent.on(START, json({ job_id: 'job-1', status: 'started' }));
      await expect(start()).resolves.toEqual({});
      const url = `nbd://127.0.0.1:${port}/${exportName}`;
      expect(agent.asked[0]?.body).toMatchObject({
        job_id: 'job-1',
        vcenter_password: PASSWORD,
        nbd_targets: `2000:${url}`,
        disks: [{ device_key: 2000, nbd_url: url, size_bytes: 1000 }],
      });
    });

    it('was done when the agent knows the job', async () => {
      agent.on(PROGRESS, json({ status: 'Queued' }));
      await expect(observe()).resolves.toEqual({ state: 'done', result: {} });
    });

    it('was not done when the agent does not know the job', async () => {
      agent.on(PROGRESS, says(404, 'unknown'));
      await expect(observe()).resolves.toEqual({ state: 'absent' });
    });

    describe('of a job of an agent of the first generation', () => {
      const OF_DISK = 'GET /progress/backup-job-1-disk0';
      const observeAgain = (attempt: number) =>
        executor('agent.start', { awaySeconds: 0.2 }).observe(args({ together: false }), {
          ...effectContext(),
          attempt,
        });

      it('was done, though the answer was lost and the agent does not know the job in its first seconds', async () => {
        agent.on(OF_DISK, says(404, 'unknown'), says(404, 'unknown'), json({ status: 'Queued' }));
        await expect(observeAgain(2)).resolves.toEqual({ state: 'done', result: {} });
        expect(agent.times(OF_DISK)).toBe(3);
      });

      it('was not done when the agent does not know it after these seconds either', async () => {
        agent.on(OF_DISK, says(404, 'unknown'));
        await expect(observeAgain(2)).resolves.toEqual({ state: 'absent' });
        expect(agent.times(OF_DISK)).toBeGreaterThan(2);
      });

      it('is asked after once where nobody can have told it yet', async () => {
        agent.on(OF_DISK, says(404, 'unknown'));
        await expect(observeAgain(1)).resolves.toEqual({ state: 'absent' });
        expect(agent.times(OF_DISK)).toBe(1);
      });
    });

    it('cannot be looked at while the agent is away', async () => {
      agent.on(PROGRESS, dropsConnection);
      expect(await failureOf(observe())).toMatchObject({ certainty: 'transient', failure: { code: 'vma-away' } });
    });

    it('fails for good, and tells nobody a password, when an export is not open', async () => {
      const failure = { code: 'export-gone', remedy: expect.stringContaining('again') };
      expect(await failureOf(start())).toMatchObject({ certainty: 'permanent', failure });
      expect(agent.asked).toEqual([]);
    });

    it.each([
      [2, 'credential-inactive'],
      [3, 'unknown-credential'],
    ])('fails for good when credential %d cannot be used', async (credentialId, code) => {
      await ports.claim('job-1-2000', new Set());
      const error = await failureOf(start({ credentialId }));
      expect(error).toMatchObject({ certainty: 'permanent', failure: { code } });
      expect(agent.asked).toEqual([]);
    });

    it.each<[string, Reply, string, string]>([
      ['is away', dropsConnection, 'vma-away', 'transient'],
      ['refuses', says(400, 'vm_path is empty'), 'vma-refuses', 'permanent'],
      ['talks nonsense', html, 'vma-talks-nonsense', 'permanent'],
    ])('fails when the agent %s', async (_what, reply, code, certainty) => {
      await ports.claim('job-1-2000', new Set());
      agent.on(START, reply);
      expect(await failureOf(start())).toMatchObject({ certainty, failure: { code } });
    });

    it('keeps the password out of the failure, its cause included', async () => {
      await ports.claim('job-1-2000', new Set());
      agent.on(START, says(500, `exec: mover --password ${PASSWORD}: not found`));
      const shown = inspect(await failureOf(start()), { depth: 10, showHidden: true });
      expect(shown).toContain('exec: mover --password ***');
      expect(shown).not.toContain(PASSWORD);
    });
  });

  describe('agent.follow', () => {
    const follow = (times?: Partial<FollowTimes>, signal?: AbortSignal) =>
      executor('agent.follow', times).execute(FOLLOW_ARGS, effectContext(signal));

    it('is never done beforehand', async () => {
      await expect(executor('agent.follow').observe(FOLLOW_ARGS, effectContext())).resolves.toEqual({
        state: 'absent',
      });
    });

    it('ends with what was copied when every disk is whole', async () => {
      agent.on(
        PROGRESS,
        says200('Queued'),
        says200('in_progress', disk(2000, 400)),
        says200('in_progress', disk(2000, 1000), disk(2001, 1)),
        says200(
          'completed',
          disk(2001, 2000, `${EPOCH}/81`),
          disk(2000, 1000, '52dec0d9-b943-9d10-61d5-4c1be97b6563/7'),
        ),
      );
      await expect(follow()).resolves.toEqual({
        disks: [
          {
            deviceKey: 2000,
            bytesTransferred: 1000,
            bytesToCopy: 1000,
            changeId: '52dec0d9-b943-9d10-61d5-4c1be97b6563/7',
          },
          { deviceKey: 2001, bytesTransferred: 2000, bytesToCopy: 2000, changeId: `${EPOCH}/81` },
        ],
      });
    });

    it('asks at once when the agent tells of a disk by itself, and whom others tell of not', async () => {
      const minute = 60_000;
      agent.on(
        PROGRESS,
        says200('in_progress', disk(2000, 1000)),
        says200('completed', disk(2000, 1000), disk(2001, 2000)),
      );
      const followed = follow({ firstPollMs: minute, pollMs: minute, awaySeconds: minute, stalledSeconds: minute });
      await eventually(() => {
        expect(agent.times(PROGRESS)).toBe(1);
      });
      calls.told('job-2');
      expect(agent.times(PROGRESS)).toBe(1);
      calls.told('job-1');
      await expect(followed).resolves.toMatchObject({ disks: [{ deviceKey: 2000 }, { deviceKey: 2001 }] });
      expect(agent.times(PROGRESS)).toBe(2);
    });

    it('hears also what the agent tells while it is being asked', async () => {
      const call = calls.listen('job-1');
      calls.told('job-1');
      const { signal } = new AbortController();
      expect(await call.within(60_000, signal)).toBe(true);
      expect(await call.within(1, signal)).toBe(false);
      call.end();
      calls.told('job-1');
      expect(await call.within(1, signal)).toBe(false);
    });

    it.each([
      ['too long', 'x'.repeat(256)],
      ['with a line break', '52\n/7'],
      ['not of ASCII', '52ß/7'],
      ['empty', ''],
      ['blank', ' '],
    ])('keeps no change id that is %s', async (_what, changeId) => {
      agent.on(PROGRESS, says200('completed', disk(2000, 1000, changeId), disk(2001, 2000)));
      const { disks } = (await follow()) as { disks: readonly { changeId: string | null }[] };
      expect(disks.map((one) => one.changeId)).toEqual([null, null]);
    });

    it('writes the newest numbers down while it goes on', async () => {
      agent.on(PROGRESS, says200('in_progress', disk(2000, 10)), says200('in_progress', disk(2000, 400), disk(9, 5)));
      const controller = new AbortController();
      const followed = follow({}, controller.signal).catch((error: unknown) => error);
      await eventually(async () => {
        expect((await progressOf(database, ['job-1'])).get('job-1')).toMatchObject([
          { device_key: 2000, bytes_transferred: 400, bytes_to_copy: 1000 },
        ]);
      });
      controller.abort('cancelled');
      expect(await followed).not.toBeInstanceOf(EffectError);
    });

    it('ends as soon as it is cancelled, also while the agent is silent', async () => {
      agent.on(PROGRESS, silence);
      const controller = new AbortController();
      const followed = follow({ awaySeconds: 60 }, controller.signal).catch((error: unknown) => error);
      await eventually(() => {
        expect(agent.times(PROGRESS)).toBe(1);
      });
      controller.abort('cancelled');
      expect(await followed).toBe('cancelled');
      expect(agent.times(PROGRESS)).toBe(1);
    });

    it('fails with the words of an agent that failed', async () => {
      agent.on(PROGRESS, json({ status: 'failed', last_error: 'snapshot\u001b[2J refused' }));
      const error = await failureOf(follow());
      expect(error).toMatchObject({ certainty: 'permanent', failure: { code: 'agent-failed' } });
      expect(error.failure.message).toContain('snapshot [2J refused');
    });

    it('does not pass on the password in the words of an agent, nor words that can not be checked for it', async () => {
      agent.on(PROGRESS, json({ status: 'failed', last_error: `no login with ${PASSWORD}` }));
      expect((await failureOf(follow())).failure.message).toContain('no login with ***');
      const unknown = executor('agent.follow').execute({ ...FOLLOW_ARGS, credentialId: 99 }, effectContext());
      expect((await failureOf(unknown)).failure.message).toContain('it gave no reason');
    });

    it('fails also when the agent gives no reason', async () => {
      agent.on(PROGRESS, json({ status: 'failed' }));
      expect((await failureOf(follow())).failure.message).toContain('it gave no reason');
    });

    it('fails when the agent forgot the job', async () => {
      agent.on(PROGRESS, says200('in_progress', disk(2000, 1)), says(404, 'unknown'));
      const error = await failureOf(follow());
      expect(error).toMatchObject({ certainty: 'permanent', failure: { code: 'agent-forgot-job' } });
    });

    it('is patient with an agent that does not know the job in its first seconds, but not for ever', async () => {
      const whole = says200('completed', disk(2000, 1000), disk(2001, 2000));
      agent.on(PROGRESS, says(404, 'unknown'), says(404, 'unknown'), says200('in_progress'), whole);
      await expect(follow()).resolves.toMatchObject({ disks: [{}, {}] });
      agent.on(PROGRESS, says(404, 'unknown'));
      expect((await failureOf(follow({ awaySeconds: 0.1 }))).failure.code).toBe('agent-forgot-job');
    });

    it('takes refusals for silence: what stands in between may be restarting', async () => {
      const refusals = Array.from({ length: 12 }, () => says(503, 'no'));
      const whole = says200('completed', disk(2000, 1000), disk(2001, 2000));
      agent.on(PROGRESS, says200('in_progress'), ...refusals, whole);
      await expect(follow({ awaySeconds: 20 })).resolves.toMatchObject({ disks: [{}, {}] });
      agent.on(PROGRESS, says200('in_progress', disk(2000, 1)), says(503, 'no'));
      expect((await failureOf(follow({ awaySeconds: 0.2, stalledSeconds: 60 }))).failure.code).toBe('vma-away');
    });

    it.each<[string, Reply]>([
      ['drops every connection', dropsConnection],
      ['never answers', silence],
    ])('fails when the agent %s for too long', async (_what, reply) => {
      agent.on(PROGRESS, says200('in_progress', disk(2000, 1)), reply);
      const error = await failureOf(follow({ stalledSeconds: 60 }));
      expect(error).toMatchObject({ certainty: 'permanent', failure: { code: 'vma-away' } });
      expect(agent.times(PROGRESS)).toBeGreaterThan(1);
    });

    it('outlives an agent that is away for a short time, however often', async () => {
      const away = Array.from({ length: 20 }, (_, n) => [
        dropsConnection,
        says200('in_progress', disk(2000, n)),
      ]).flat();
      agent.on(PROGRESS, ...away, says200('completed', disk(2000, 1000), disk(2001, 2000)));
      await expect(follow({ awaySeconds: 0.2 })).resolves.toMatchObject({ disks: [{}, {}] });
    });

    it('fails when no byte moves for too long', async () => {
      agent.on(PROGRESS, says200('in_progress', disk(2000, 10), disk(2001, 0)));
      const error = await failureOf(follow());
      expect(error).toMatchObject({ certainty: 'permanent', failure: { code: 'agent-stalled' } });
    });

    it('does not take numbers that fall, or of strange disks, for movement', async () => {
      const falling = Array.from({ length: 1000 }, (_, n) => says200('in_progress', disk(2000, 999 - n), disk(7, n)));
      agent.on(PROGRESS, ...falling);
      expect((await failureOf(follow({ stalledSeconds: 0.3 }))).failure.code).toBe('agent-stalled');
    });

    it('is more patient before the first byte and after the last, when snapshots are made and merged', async () => {
      const stalledSeconds = 0.15;
      const before = says200('in_progress', disk(2000, 0), disk(2001, 0));
      const after = says200('in_progress', disk(2000, 1000), disk(2001, 2000));
      for (const still of [before, after]) {
        agent.on(
          PROGRESS,
          ...Array.from({ length: 10 }, () => still),
          says200('completed', disk(2000, 1000), disk(2001, 2000)),
        );
        await expect(follow({ stalledSeconds, pollMs: 50 })).resolves.toMatchObject({ disks: [{}, {}] });
        agent.on(PROGRESS, still);
        expect((await failureOf(follow({ stalledSeconds }))).failure.code).toBe('agent-stalled');
      }
    });

    it('gives a slow export time for what is under way', async () => {
      const still = Array.from({ length: 10 }, () => says200('in_progress', disk(2000, 10), disk(2001, 0)));
      agent.on(PROGRESS, ...still, says200('completed', disk(2000, 1000), disk(2001, 2000)));
      const slow = { ...FOLLOW_ARGS, slowestBytesPerSecond: 64 * 1024 ** 2 };
      const following = executor('agent.follow', { stalledSeconds: 0.1, pollMs: 50 }).execute(slow, effectContext());
      await expect(following).resolves.toMatchObject({ disks: [{}, {}] });
    });

    it('is patient as long as some byte moves', async () => {
      const creeping = Array.from({ length: 100 }, (_, n) => says200('in_progress', disk(2001, n)));
      agent.on(PROGRESS, ...creeping, says200('completed', disk(2000, 1000), disk(2001, 2000)));
      const begun = performance.now();
      await follow({ stalledSeconds: 0.4 });
      expect(performance.now() - begun).toBeGreaterThan(400);
    });

    it.each<[string, Reply]>([
      ['web pages', html],
      ['refusals', says(500, 'no')],
      ['bytes below zero', says200('in_progress', disk(2000, -1))],
    ])('bears four answers in a row that are %s', async (_what, reply) => {
      const four = [reply, reply, reply, reply];
      const whole = says200('completed', disk(2000, 1000), disk(2001, 2000));
      agent.on(PROGRESS, ...four, says200('in_progress'), ...four, whole);
      await expect(follow()).resolves.toMatchObject({ disks: [{}, {}] });
    });

    it('fails at the fifth answer in a row that is nonsense', async () => {
      agent.on(PROGRESS, html);
      const error = await failureOf(follow());
      expect(error).toMatchObject({ certainty: 'permanent', failure: { code: 'agent-talks-nonsense' } });
      expect(agent.times(PROGRESS)).toBe(5);
    });

    it.each<[string, Reply]>([
      ['more bytes than the disk has', says200('in_progress', disk(2000, 1001))],
      ['the end with bytes missing', says200('completed', disk(2000, 999), disk(2001, 2000))],
      ['the end without one disk', says200('completed', disk(2000, 1000))],
      ['the end without any disk', says200('completed')],
      ['the end of a disk that failed', json(failedDisk())],
      ['the end with an error', json({ ...failedDisk('Completed'), last_error: '3 sectors unreadable' })],
      ['the end with too many bytes', says200('completed', disk(2000, 1000), disk(2001, 2001))],
    ])('does not believe in %s', async (_what, reply) => {
      agent.on(PROGRESS, reply);
      const error = await failureOf(follow());
      expect(error).toMatchObject({ certainty: 'permanent', failure: { code: 'agent-lied' } });
      expect(agent.times(PROGRESS)).toBe(1);
    });
  });

  describe('agent.follow of increments and of agents of the first generation', () => {
    const BASE = `${EPOCH}/3`;
    const one = { diskId: 0, deviceKey: 2000, sizeBytes: 1000, baseChangeId: BASE };
    const follow = (changes: object = {}) =>
      executor('agent.follow').execute({ ...FOLLOW_ARGS, disks: [one], ...changes }, effectContext());
    const account = (changes: object = {}) => ({
      device_key: 2000,
      bytes_transferred: 128,
      total_bytes: 128,
      mode: 'incremental',
      base_change_id: BASE,
      change_id: `${EPOCH}/9`,
      ...changes,
    });

    it.each([0, 128])('ends when what had changed is copied: %d bytes', async (bytes) => {
      agent.on(PROGRESS, says200('completed', account({ bytes_transferred: bytes, total_bytes: bytes })));
      await expect(follow()).resolves.toEqual({
        disks: [{ deviceKey: 2000, bytesTransferred: bytes, bytesToCopy: bytes, changeId: `${EPOCH}/9` }],
      });
    });

    it.each<[string, object]>([
      ['bytes missing', { bytes_transferred: 64 }],
      ['another mode than it was told', { mode: 'full' }],
      ['no mode at all', { mode: undefined }],
      ['another base than it was told', { base_change_id: `${EPOCH}/2` }],
      ['more than the disk has', { bytes_transferred: 1001, total_bytes: 1001 }],
    ])('does not believe in an increment with %s', async (_what, changes) => {
      agent.on(PROGRESS, says200('completed', account(changes)));
      expect(await failureOf(follow())).toMatchObject({ certainty: 'permanent', failure: { code: 'agent-lied' } });
    });

    it('says what to do when what changed can not be told any more', async () => {
      agent.on(PROGRESS, json({ status: 'failed', last_error: 'change tracking was reset: disk 2000' }));
      const { failure } = await failureOf(follow());
      expect(failure.code).toBe('change-tracking-reset');
      expect(failure.remedy).toContain('auto');
    });

    it('follows a job per disk, and takes none of its numbers for proof', async () => {
      const ofDisk = (disk: number) => `GET /progress/backup-job-1-disk${disk}`;
      agent.on(ofDisk(0), json({ status: 'completed', bytes_transferred: 5_000_000_000, total_bytes: 1 }));
      agent.on(ofDisk(1), json({ status: 'running' }), json({ status: 'completed' }));
      const { disks } = FOLLOW_ARGS;
      const nothing = { bytesTransferred: null, bytesToCopy: null, changeId: null };
      await expect(follow({ together: false, disks })).resolves.toEqual({
        disks: [
          { deviceKey: 2000, ...nothing },
          { deviceKey: 2001, ...nothing },
        ],
      });
      expect((await progressOf(database, ['job-1'])).get('job-1')?.[0]).toMatchObject({ bytes_transferred: 1000 });
    });
  });

  describe('agent.stop', () => {
    const stop = (signal?: AbortSignal) =>
      executor('agent.stop').execute({ agent: 'one', jobId: 'job-1', diskIds: [] }, effectContext(signal));

    it.each<[string, Reply]>([
      ['tells the agent', json({ status: 'stopping' })],
      ['minds no agent that has no such route', says(404, 'no such route')],
    ])('%s', async (_what, reply) => {
      agent.on(STOP, reply);
      await expect(stop()).resolves.toEqual({});
      expect(agent.asked).toEqual([{ route: STOP, body: { job_id: 'job-1' } }]);
      expect(warnings).toEqual([]);
    });

    it.each<[string, Reply]>([
      ['is away', dropsConnection],
      ['never answers', silence],
      ['refuses', says(500, 'no')],
    ])('goes on, with a warning in the log, when the agent %s', async (_what, reply) => {
      agent.on(STOP, reply);
      await expect(stop()).resolves.toEqual({});
      expect(warnings).toEqual([
        {
          fields: expect.objectContaining({ jobId: 'job-1', correlationId: 'correlation' }),
          message: expect.stringContaining('could not be told'),
        },
      ]);
    });

    it('tells it of every job that it may have, also when it refuses one', async () => {
      agent.on(STOP, says(409, 'unknown'), json({ status: 'stopping' }));
      const args = { agent: 'one', jobId: 'job-1', diskIds: [0, 1] };
      await expect(executor('agent.stop').execute(args, effectContext())).resolves.toEqual({});
      expect(agent.times(STOP)).toBe(3);
    });

    it('does not pass for told when it is interrupted', async () => {
      await expect(stop(AbortSignal.abort('shutting-down'))).rejects.toBe('shutting-down');
    });
  });

  describe('the table of progress', () => {
    it('keeps the greatest number of each disk and tells the jobs apart', async () => {
      const record = (jobId: string, deviceKey: number, bytesTransferred: number) =>
        progress.record(jobId, deviceKey, { bytesTransferred, bytesToCopy: null });
      await record('job-1', 2000, 500);
      await record('job-1', 2000, 300);
      await record('job-1', 2001, 2 ** 53 - 1);
      await record('job-2', 2000, 7);
      await record('job-3', 2000, 9);
      await expect(progressOf(database, ['job-1', 'job-2', 'job-4'])).resolves.toMatchObject(
        new Map([
          [
            'job-1',
            [
              { device_key: 2000, bytes_transferred: 500, ignored_reports: 1 },
              { device_key: 2001, bytes_transferred: 2 ** 53 - 1, ignored_reports: 0 },
            ],
          ],
          ['job-2', [{ device_key: 2000, bytes_transferred: 7 }]],
        ]),
      );
    });

    it('has a share that never falls, whatever totals are told', async () => {
      const told: readonly [number, number | null][] = [
        [0, null],
        [100, 1000],
        [50, 10],
        [100, 2000],
        [200, null],
        [300, 500],
        [300, 0],
      ];
      const totals: (number | null)[] = [];
      for (const [bytesTransferred, bytesToCopy] of told) {
        await progress.record('job-1', 2000, { bytesTransferred, bytesToCopy });
        totals.push((await progressOf(database, ['job-1'])).get('job-1')?.[0]?.bytes_to_copy ?? null);
      }
      expect(totals).toEqual([null, 1000, 1000, 1000, 1000, 500, 500]);
    });

    it('takes the total that comes after one of nothing', async () => {
      for (const bytesToCopy of [0, 700]) await progress.record('job-1', 2000, { bytesTransferred: 0, bytesToCopy });
      expect((await progressOf(database, ['job-1'])).get('job-1')).toMatchObject([{ bytes_to_copy: 700 }]);
    });

    it('tells a rate near the true one, which sinks while nothing comes', async () => {
      const begun = performance.now();
      for (let bytes = 0; bytes <= 1_000_000; bytes += 100_000) {
        await progress.record('job-1', 2000, { bytesTransferred: bytes, bytesToCopy: 2_000_000 });
        await pause(20);
      }
      const trueRate = 1_000_000 / ((performance.now() - begun) / 1000);
      const rate = async () => (await progressOf(database, ['job-1'])).get('job-1')?.[0]?.bytes_per_second ?? 0;
      const first = await rate();
      expect(first / trueRate).toBeGreaterThan(0.5);
      expect(first / trueRate).toBeLessThan(2);
      await eventually(async () => {
        expect(await rate()).toBeLessThan(first * 0.9);
      });
    });
  });
});
