import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { freshDatabase } from '../kit/database.js';
import { behindDoor, type Door, openDoor } from '../kit/door.js';
import { eventually } from '../kit/eventually.js';
import { heardLog } from '../kit/heard-log.js';
import { ADMIN_PASSWORD, runningOma, type RunningOma } from '../kit/running-oma.js';
import { givenEventStore } from '../kit/store-settings.js';

const PORT = 24_300;
/** A lock on the head of the log keeps nobody waiting whose log is elsewhere. */
const itWithItsLogThere = givenEventStore === undefined ? it : it.skip;

describe('OMA while PostgreSQL is away', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let door: Door;
  let oma: RunningOma;
  const { logger, heard, failures } = heardLog();

  beforeAll(async () => {
    fresh = await freshDatabase();
    door = await openDoor(PORT, fresh.url);
    oma = await runningOma({ DATABASE_URL: behindDoor(PORT, fresh.url), OMA_NBD_PORTS: '24310-24319' }, logger);
  }, 60_000);

  afterAll(async () => {
    await oma.clear();
    await door.close();
    await fresh.drop();
  }, 60_000);

  const addRepository = (name: string) => {
    const body = { name, type: 'local', config: { path: `${oma.dataDir}/${name}` } };
    return oma.api.post('/repositories', body, { 'idempotency-key': name });
  };
  const awayAs = (
    code: string,
    remedy: unknown = 'ask again with the same Idempotency-Key: what was done is recognised',
  ) => ({
    status: 503,
    body: { code, remedy },
  });

  it('says so to those who read and to those who change something, and answers again when it is back', async () => {
    await door.close();
    const read = await oma.api.get('/repositories');
    expect(read).toMatchObject(awayAs('database-away', 'ask again in a moment'));
    expect(read.headers.get('retry-after')).toBe('1');
    expect(await addRepository('early')).toMatchObject(awayAs('database-away'));
    const login = await oma.api.post('/auth/login', { username: 'admin', password: ADMIN_PASSWORD });
    expect(login).toMatchObject(awayAs('database-away', 'ask again in a moment'));
    const keyless = await oma.api.post('/jobs/none/cancel');
    expect(keyless).toMatchObject(awayAs('database-away', expect.stringMatching(/may have been done.*look/)));
    expect(heard.map(({ line }) => line)).toContain('a request was refused: the database does not answer just now');
    expect(failures.map(({ line }) => line)).not.toContain('a request failed for a reason of our own');
    door = await openDoor(PORT, fresh.url);
    await eventually(async () => {
      expect((await addRepository('early')).status).toBe(201);
    });
  });

  itWithItsLogThere(
    'tells who got no answer from the log how to find out, and does what was asked for once',
    async () => {
      const changing = fresh.database.transaction(async (sql) => {
        await sql.query('select from es.head for update');
        expect(await addRepository('slow')).toMatchObject(awayAs('event-store-away'));
      });
      await changing;
      expect((await addRepository('slow')).status).toBe(201);
      const { body } = await oma.api.get<{ name: string }[]>('/repositories');
      expect(body.filter(({ name }) => name === 'slow')).toHaveLength(1);
    },
    60_000,
  );

  it('stops cleanly all the same, lets go of its data folder, and starts again', async () => {
    await door.close();
    heard.length = 0;
    const again = oma.restart();
    await eventually(() => {
      expect(heard.find(({ line }) => line.endsWith('does not answer; it is tried again'))).toBeDefined();
    }, 30);
    door = await openDoor(PORT, fresh.url);
    await again;
    expect((await oma.api.get('/repositories')).status).toBe(200);
  }, 60_000);
});
