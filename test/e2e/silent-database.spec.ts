import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { freshDatabase } from '../kit/database.js';
import { behindDoor, type Door, openDoor } from '../kit/door.js';
import { eventually } from '../kit/eventually.js';
import { heardLog } from '../kit/heard-log.js';
import { ADMIN_PASSWORD, runningOma, type RunningOma } from '../kit/running-oma.js';

const PORT = 21_910;
/** What docs/operations.md promises, and a little for the tests' machine. */
const READ_WITHIN_MS = 16_000 + 3000;
const COMMAND_WITHIN_MS = 30_000 + 3000;

describe('OMA while PostgreSQL takes everything and says nothing', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let door: Door;
  let oma: RunningOma;
  const { logger, heard, failures } = heardLog();

  beforeAll(async () => {
    fresh = await freshDatabase();
    door = await openDoor(PORT, fresh.url);
    oma = await runningOma({ DATABASE_URL: behindDoor(PORT, fresh.url), OMA_NBD_PORTS: '21920-21929' }, logger);
  }, 60_000);

  afterAll(async () => {
    door.goOn();
    await oma.clear();
    await door.close();
    await fresh.drop();
  }, 60_000);

  const addRepository = () => {
    const body = { name: 'silent', type: 'local', config: { path: `${oma.dataDir}/silent` } };
    return oma.api.post('/repositories', body, { 'idempotency-key': 'silent' });
  };
  const ready = async () => (await fetch(`${oma.api.url}/ready`)).status;
  const timed = async <Answer>(asking: Promise<Answer>) => {
    const begun = performance.now();
    return { answer: await asking, ms: performance.now() - begun };
  };

  it('tells everybody who waits that the database is away, and goes on by itself when it answers', async () => {
    expect(await ready()).toBe(200);
    door.stall();
    // More than there are connections.
    const reads = Array.from({ length: 25 }, () => timed(oma.api.get('/repositories')));
    const login = timed(oma.api.as('').post('/auth/login', { username: 'admin', password: ADMIN_PASSWORD }));
    const command = timed(addRepository());
    expect(await ready()).toBe(503);
    for (const { answer, ms } of await Promise.all([...reads, login])) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'database-away', remedy: 'ask again in a moment' } });
      expect(ms).toBeLessThan(READ_WITHIN_MS);
    }
    const { answer: refusal, ms } = await command;
    expect(refusal).toMatchObject({
      status: 503,
      body: { remedy: 'ask again with the same Idempotency-Key: what was done is recognised' },
    });
    expect(ms).toBeLessThan(COMMAND_WITHIN_MS);
    // Whoever asks now hears it sooner.
    expect((await timed(oma.api.get('/repositories'))).ms).toBeLessThan(3000);
    expect(heard.map(({ line }) => line)).toContain(
      'the database says nothing: its connections are cut until it answers',
    );
    door.goOn();
    await eventually(async () => {
      expect((await addRepository()).status).toBe(201);
      expect(await ready()).toBe(200);
    });
    expect((await oma.api.get('/repositories')).body).toHaveLength(1);
    expect(failures).toEqual([]);
  }, 90_000);
});
