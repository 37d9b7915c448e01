import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { Database } from '#platform/database/database';
import { isDatabaseAway } from '#platform/database/database-away';
import { SilenceWatch } from '#platform/database/silence-watch';

import { freshDatabase } from '../kit/database.js';
import { behindDoor, type Door, openDoor } from '../kit/door.js';
import { eventually } from '../kit/eventually.js';
import { heardLog } from '../kit/heard-log.js';

const PORT = 21_900;
const TIMES = { lookMs: 50, looks: 15 };
const TIMES_MS = TIMES.lookMs * TIMES.looks;
const LONG_WORK = `select pg_sleep(${(3 * TIMES_MS) / 1000}), 'done' as is`;

describe('a database that is watched for silence', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let door: Door;
  let database: Database;
  let watch: SilenceWatch;
  const { logger, heard } = heardLog();

  beforeEach(async () => {
    fresh = await freshDatabase();
    door = await openDoor(PORT, fresh.url);
    database = new Database(behindDoor(PORT, fresh.url));
    watch = new SilenceWatch(database, logger, TIMES);
    watch.start();
    heard.length = 0;
  });

  afterEach(async () => {
    await watch.stop();
    await database.close();
    await door.close();
    await fresh.drop();
  });

  const lines = () => heard.map(({ line }) => line);
  const watcher = async () => {
    const sql = `select pid from pg_stat_activity where datname = current_database() and application_name like '%watch'`;
    const [row] = await fresh.database.query<{ pid: number }>(sql);
    return row?.pid ?? 0;
  };

  it('is away for those who wait when it says nothing, and there for others as soon as it does again', async () => {
    await database.query('select 1');
    door.stall();
    const begun = performance.now();
    // More than there are connections, some of which are only being made.
    const questions = Array.from({ length: 25 }, () => database.query('select 1').catch((error: unknown) => error));
    const transaction = database.transaction((sql) => sql.query('select 1')).catch((error: unknown) => error);
    for (const answer of await Promise.all([...questions, transaction])) expect(isDatabaseAway(answer)).toBe(true);
    expect(performance.now() - begun).toBeGreaterThan(TIMES_MS - TIMES.lookMs);
    expect(performance.now() - begun).toBeLessThan(TIMES_MS + 3000);
    const said = 'the database says nothing: its connections are cut until it answers';
    expect(lines().filter((line) => line === said)).toHaveLength(1);
    door.goOn();
    await eventually(async () => {
      expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
      expect(lines()).toContain('the database answers again');
    });
  }, 20_000);

  it('is there again also when a word takes longer than from one look to the next', async () => {
    door.stall();
    await eventually(() => {
      expect(lines()).toHaveLength(1);
    });
    door.goOn(2 * TIMES.lookMs);
    await eventually(async () => {
      expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
    });
    expect(lines()).toContain('the database answers again');
  }, 20_000);

  it('may work for long without a word to who asked for it', async () => {
    expect(await database.query(LONG_WORK)).toMatchObject([{ is: 'done' }]);
    expect(lines()).toEqual([]);
  }, 20_000);

  it('may work for long also when the connection of the watch alone says nothing', async () => {
    await eventually(async () => {
      expect(await watcher()).toBeGreaterThan(0);
    });
    const first = await watcher();
    const work = database.query(LONG_WORK);
    process.kill(first, 'SIGSTOP');
    try {
      expect(await work).toMatchObject([{ is: 'done' }]);
    } finally {
      process.kill(first, 'SIGCONT');
    }
    expect(lines()).toEqual([]);
  }, 20_000);

  it('keeps nobody who watches it from stopping', async () => {
    await eventually(async () => {
      expect(await watcher()).toBeGreaterThan(0);
    });
    door.stall();
    const begun = performance.now();
    await watch.stop();
    expect(performance.now() - begun).toBeLessThan(1000);
  });
});
