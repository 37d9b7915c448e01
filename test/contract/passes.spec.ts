import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import type { Database } from '#platform/database/database';
import { Checkpoint, Passes } from '#platform/projections/passes';
import { Moved } from '#platform/projections/poison';

import { freshDatabase } from '../kit/database.js';
import { eventually } from '../kit/eventually.js';

describe('checkpoints that pass events without changing rows', () => {
  let database: Database;
  let passes: Passes;
  let drop: () => Promise<void>;

  beforeEach(async () => {
    ({ database, drop } = await freshDatabase());
    passes = new Passes(database);
    await database.query(
      `insert into projection (name, version, generation, position, status, live)
       values ('one', 1, 1, '05', 'running', true), ('other', 1, 1, '05', 'running', true), ('still', 1, 1, '05', 'stopped', true)`,
    );
  });

  afterEach(async () => {
    await passes.stop();
    await drop();
  });

  const at = (name: string, position = '05', generation = 1) =>
    new Checkpoint({ name, version: 1, generation }, position, passes);
  const positions = async () => {
    const rows = await database.query<{ name: string; position: string }>(`select name, position from projection`);
    return Object.fromEntries(rows.map(({ name, position }) => [name, position]));
  };
  const isWaitedFor = () =>
    eventually(async () => {
      const waiting = await database.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      expect(waiting).toHaveLength(1);
    });
  const become = (expected: Record<string, string>) =>
    eventually(async () => {
      expect(await positions()).toMatchObject(expected);
    });

  it('move together, and all that comes within a moment at once', async () => {
    const asked = jest.spyOn(database.pool, 'query');
    const [one, other] = [at('one'), at('other')];
    for (const upTo of ['06', '07', '08']) {
      one.passTo(upTo);
      other.passTo(upTo);
    }
    other.passTo('09');
    await become({ one: '08', other: '09', still: '05' });
    expect(asked.mock.calls.filter(([query]) => (query as { name?: string }).name === 'projections pass')).toHaveLength(
      1,
    );
  });

  it('are lost, and moved by nobody, when they are somewhere else than thought, not to be moved, or gone', async () => {
    const lost = [at('one', '04'), at('still'), at('other', '05', 2)];
    for (const checkpoint of lost) checkpoint.passTo('07');
    await eventually(() => {
      expect(lost.map((checkpoint) => checkpoint.lost.aborted)).toEqual([true, true, true]);
    });
    for (const checkpoint of lost) {
      expect(() => {
        checkpoint.assure();
      }).toThrow(Moved);
      await expect(checkpoint.stored()).rejects.toThrow(Moved);
      await expect(checkpoint.settle()).rejects.toThrow(Moved);
    }
    expect(await positions()).toEqual({ one: '05', other: '05', still: '05' });
  });

  it('wait for nobody but who holds their own, and go on from there', async () => {
    const [one, other] = [at('one'), at('other')];
    await database.transaction(async (sql) => {
      await sql.query(`select from projection where name = 'other' for update`);
      other.passTo('06');
      one.passTo('06');
      await become({ one: '06', other: '05' });
      other.passTo('07');
      one.passTo('07');
      await become({ one: '07', other: '05' });
    });
    await become({ one: '07', other: '07' });
  });

  it('are where they were until then for whoever writes rows, also while they are being moved', async () => {
    const [early, late] = [at('one'), at('other')];
    early.passTo('06');
    expect(await early.stored()).toBe('05');
    let stored: Promise<string> | undefined;
    await database.transaction(async (sql) => {
      await sql.query(`select from projection where name = 'other' for update`);
      late.passTo('06');
      await isWaitedFor();
      stored = late.stored();
    });
    expect(await stored).toBe('06');
    expect(await positions()).toEqual({ one: '05', other: '06', still: '05' });
  });

  it('are left to whoever writes rows, also what came while they were being moved', async () => {
    const one = at('one');
    let stored: Promise<string> | undefined;
    await database.transaction(async (sql) => {
      await sql.query(`select from projection where name = 'one' for update`);
      one.passTo('06');
      await isWaitedFor();
      one.passTo('07');
      stored = one.stored();
    });
    expect(await stored).toBe('06');
    await passes.stop();
    expect(await positions()).toMatchObject({ one: '06' });
  });

  it('can be written down at once', async () => {
    const one = at('one');
    one.passTo('06');
    await one.settle();
    expect(await positions()).toMatchObject({ one: '06' });
  });

  it('are written down when it is stopped', async () => {
    const one = at('one');
    one.passTo('06');
    await become({ one: '06' });
    one.passTo('07');
    await passes.stop();
    expect(await positions()).toMatchObject({ one: '07' });
  });

  it('are written down when it is stopped, also what comes after somebody else has let go of them', async () => {
    const one = at('one');
    let stopping: Promise<void> | undefined;
    await database.transaction(async (sql) => {
      await sql.query(`select from projection where name = 'one' for update`);
      one.passTo('06');
      await isWaitedFor();
      one.passTo('07');
      stopping = passes.stop();
    });
    await stopping;
    expect(await positions()).toMatchObject({ one: '07' });
  });

  it('keep nobody from stopping who waits for one that is held', async () => {
    const one = at('one');
    await database.transaction(async (sql) => {
      await sql.query(`select from projection where name = 'one' for update`);
      one.passTo('06');
      await isWaitedFor();
      await passes.stop();
      expect(one.lost.aborted).toBe(false);
    });
    await become({ one: '06' });
  });

  it('are lost with the database, and say why', async () => {
    jest.spyOn(database.pool, 'query').mockImplementation(() => Promise.reject(new Error('connection lost')) as never);
    const one = at('one');
    one.passTo('06');
    await eventually(() => {
      expect(one.lost.aborted).toBe(true);
    });
    expect(() => {
      one.assure();
    }).toThrow('connection lost');
    jest.restoreAllMocks();
  });
});
