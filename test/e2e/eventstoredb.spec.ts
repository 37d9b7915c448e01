import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { EventStoreDbDouble } from '#lab/eventstoredb/double';

import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';

describe('OMA with its log in EventStoreDB', () => {
  let double: EventStoreDbDouble;
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;

  beforeAll(async () => {
    double = await EventStoreDbDouble.start();
    lab = await startTestLab();
    oma = await runningOma({
      OMA_VMA_URL: lab.url,
      OMA_NBD_PORTS: '20820-20839',
      EVENTSTORE_URL: double.url,
      EVENTSTORE_NAMESPACE: 'berlin',
    });
    vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
  }, 120_000);

  afterAll(async () => {
    await oma.clear();
    await lab.clear();
    double.stop();
  });

  const stored = () =>
    double.log.records.filter(({ stream, type }) => /^berlin\.[a-z]+-/.test(stream) && !type.startsWith('$'));

  /** The types of a job's events, once its saga has nothing left to do. */
  const typesAtTheEnd = (jobId: string) =>
    eventually(() => {
      const types = stored()
        .filter(({ stream }) => stream.endsWith(jobId))
        .map(({ type }) => type);
      expect(types).toContain('SagaEnded');
      return types;
    });

  it('takes a backup, and every event of it is there and nowhere else', async () => {
    const jobId = await startBackup(oma.api, vm);
    const job = await endOf(oma.api, jobId);
    expect(job).toMatchObject({ status: 'completed', leftovers: [] });
    expect(await typesAtTheEnd(jobId)).toContain('BackupStarted');
    const client = new pg.Client({ connectionString: oma.databaseUrl });
    await client.connect();
    const { rows } = await client.query('select from es.event');
    await client.end();
    expect(rows).toEqual([]);
  }, 60_000);

  it('finishes a backup though the event store goes away, and does each of its steps once', async () => {
    const jobId = await startBackup(oma.api, vm);
    for (let round = 0; round < 3; round += 1) {
      const before = stored().length;
      await eventually(() => {
        expect(stored().length).toBeGreaterThan(before);
      });
      double.goAway();
      await double.comeBack();
    }
    expect(await endOf(oma.api, jobId)).toMatchObject({ status: 'completed', leftovers: [] });
    await typesAtTheEnd(jobId);
    const outcomes = stored()
      .filter(({ stream, type }) => stream.endsWith(jobId) && type === 'EffectSucceeded')
      .map(({ data }) => (JSON.parse(Buffer.from(data).toString()) as { effectId: string }).effectId);
    expect(outcomes).toEqual([...new Set(outcomes)]);
  }, 60_000);

  it('refuses to append while the event store is away, tells nothing of it, and takes the same again when it is back', async () => {
    const username = 'sara';
    const create = () =>
      oma.api.post(
        '/users',
        { username, password: 'a-long-password', role: 'viewer' },
        { 'idempotency-key': 'one-and-the-same', 'x-reason': 'a trial' },
      );
    double.goAway();
    const refused = await create();
    expect(refused).toMatchObject({
      status: 503,
      body: {
        title: 'Not available',
        code: 'event-store-away',
        detail: 'the event store does not answer just now',
        remedy: 'ask again with the same Idempotency-Key: what was done is recognised',
      },
    });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(Object.keys(refused.body).sort()).toEqual(
      ['code', 'correlation_id', 'detail', 'error', 'remedy', 'status', 'title', 'type'].sort(),
    );
    expect(JSON.stringify(refused.body)).not.toMatch(/esdb|127\.0\.0\.1|ECONN|UNAVAILABLE|grpc|\bat \//i);
    await double.comeBack();
    const accepted = await eventually(async () => {
      const answer = await create();
      expect(answer.status).toBe(201);
      return answer;
    }, 30);
    expect(accepted.headers.get('x-event-position')).not.toBeNull();
    expect(await create()).toMatchObject({ status: 201, body: accepted.body });
    const created = stored().filter(
      ({ type, data }) => type === 'UserCreated' && Buffer.from(data).toString().includes(`"${username}"`),
    );
    expect(created).toHaveLength(1);
  }, 90_000);

  it('names what the event store refuses for ever, and tells how to mend it', async () => {
    const user = { username: 'tom', password: 'a-long-password', role: 'viewer' };
    const usual = double.wrong.maxAppendBytes;
    double.wrong.maxAppendBytes = 10;
    const key = { 'idempotency-key': 'not-spent-on-a-refusal' };
    const tooLarge = await oma.api.post('/users', user, key);
    double.wrong.maxAppendBytes = usual;
    expect(tooLarge).toMatchObject({ status: 422, body: { code: 'too-large-to-record', title: 'Not possible' } });
    expect(await oma.api.post('/users', { ...user, role: 'operator' }, key)).toMatchObject({ status: 201 });
    const { stream = '' } = stored().findLast(({ type }) => type === 'UserCreated') ?? {};
    double.log.tombstone(stream);
    const refused = await oma.api.post('/auth/login', { username: 'tom', password: 'a-long-password' });
    expect(refused).toMatchObject({ status: 409, body: { code: 'stream-deleted', title: 'Conflict' } });
    expect(refused.body['remedy']).toContain('restored from a backup');
    expect(JSON.stringify(refused.body)).not.toContain(stream);
  }, 60_000);

  it('shows the same after it was stopped and started again', async () => {
    const trail = async () => (await oma.api.get('/audit?limit=1000')).body['events'];
    const before = await eventually(async () => {
      const events = (await trail()) as { position: string }[];
      expect(events).toHaveLength(stored().length);
      return events;
    });
    await oma.restart();
    expect(await trail()).toEqual(before);
  }, 60_000);

  it('stops cleanly also while the event store is away', async () => {
    const away = await EventStoreDbDouble.start();
    const other = await runningOma({ EVENTSTORE_URL: away.url, OMA_NBD_PORTS: '20840-20849' });
    away.goAway();
    await expect(other.clear()).resolves.toBeUndefined();
    away.stop();
  }, 60_000);
});
