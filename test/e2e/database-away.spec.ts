import { createHash } from 'node:crypto';

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

  describe('and is scraped', () => {
    const scrape = async (token: string) => {
      const answer = await fetch(`${oma.api.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
      return { status: answer.status, text: await answer.text() };
    };
    const open = async () => {
      door = await openDoor(PORT, fresh.url);
      await eventually(async () => {
        expect((await oma.api.get('/repositories')).status).toBe(200);
      });
    };
    /** Of another session of the admin, good until it logs out. */
    const newToken = async () => {
      const { body } = await oma.api.as('').post('/auth/login', { username: 'admin', password: ADMIN_PASSWORD });
      return String(body['session_token']);
    };
    const logUp = givenEventStore === undefined ? 0 : 1;

    it.each(['refuses', 'says nothing'])(
      'tells a token that was good before what is down, when it %s',
      async (how) => {
        const scraper = await newToken();
        expect((await scrape(scraper)).text).toMatch(/^oma_exports_open/m);
        if (how === 'refuses') await door.close();
        else door.stall();
        const begun = performance.now();
        const { status, text } = await scrape(scraper);
        expect(status).toBe(200);
        // Prometheus gives up after 10 s.
        expect(performance.now() - begun).toBeLessThan(8000);
        expect(text).toContain(`\noma_store_up ${logUp}\n`);
        expect(text).toContain('oma_metrics_source_up{source="exports"} 0\n');
        expect(text).not.toMatch(/^oma_exports_open/m);
        expect(text).toMatch(/^oma_http_request_duration_seconds_count\{.*} \d+$/m);
        expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
        await door.close();
        await open();
      },
      60_000,
    );

    it('tells nothing to anybody else, and nothing but this', async () => {
      const [scraper, other] = [await newToken(), await newToken()];
      expect((await scrape(scraper)).status).toBe(200);
      expect((await oma.api.as(other).get('/repositories')).status).toBe(200);
      await door.close();
      for (const path of ['/repositories', '/projections']) {
        expect(await oma.api.as(scraper).get(path)).toMatchObject({ status: 503, body: { code: 'database-away' } });
      }
      for (const token of [other, 'never-a-token']) expect((await scrape(token)).status).toBe(503);
      await open();
    });

    it('never lets in a token that was revoked', async () => {
      const token = await newToken();
      expect((await scrape(token)).status).toBe(200);
      await oma.api.as(token).post('/auth/logout');
      await door.close();
      expect((await scrape(token)).status).toBe(503);
      await open();
      expect((await scrape(token)).status).toBe(401);
    });

    it('lets a token in no longer once the database said that it is gone', async () => {
      const token = await newToken();
      expect((await scrape(token)).status).toBe(200);
      // As another instance revokes it.
      await fresh.database.query('delete from session where token_hash = $1', [
        createHash('sha256').update(token).digest('hex'),
      ]);
      expect((await scrape(token)).status).toBe(401);
      await door.close();
      expect((await scrape(token)).status).toBe(503);
      await open();
    });
  });

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
