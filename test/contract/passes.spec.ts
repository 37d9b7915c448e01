import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Database } from '#platform/database/database';
import { Passes } from '#platform/projections/passes';

import { freshDatabase } from '../kit/database.js';

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
    await drop();
  });

  const generation = (name: string) => ({ name, version: 1, generation: 1 });
  const positions = async () => {
    const rows = await database.query<{ name: string; position: string }>(`select name, position from projection`);
    return Object.fromEntries(rows.map(({ name, position }) => [name, position]));
  };

  it('move together', async () => {
    const both = [passes.pass(generation('one'), '05', '07'), passes.pass(generation('other'), '05', '06')];
    expect(await Promise.all(both)).toEqual([true, true]);
    expect(await positions()).toEqual({ one: '07', other: '06', still: '05' });
  });

  it('stay where they are when they are somewhere else than thought, not to be moved, or gone', async () => {
    const moved = [
      passes.pass(generation('one'), '04', '07'),
      passes.pass(generation('still'), '05', '07'),
      passes.pass({ ...generation('other'), generation: 2 }, '05', '07'),
    ];
    expect(await Promise.all(moved)).toEqual([false, false, false]);
    expect(await positions()).toEqual({ one: '05', other: '05', still: '05' });
  });

  it('wait for nobody but who holds their own', async () => {
    let held: Promise<boolean> | undefined;
    await database.transaction(async (sql) => {
      await sql.query(`select from projection where name = 'other' for update`);
      held = passes.pass(generation('other'), '05', '07');
      expect(await passes.pass(generation('one'), '05', '07')).toBe(true);
      expect(await positions()).toMatchObject({ one: '07', other: '05' });
    });
    expect(await held).toBe(true);
    expect(await positions()).toMatchObject({ one: '07', other: '07' });
  });
});
