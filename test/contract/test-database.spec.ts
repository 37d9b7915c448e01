import { afterEach, describe, expect, it } from '@jest/globals';

import { freshDatabase } from '../kit/database.js';

describe('a test database', () => {
  const drops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(drops.splice(0).map((drop) => drop()));
  });

  it('is migrated, empty and its own, also when many are made at once', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => freshDatabase()));
    drops.push(...made.map((one) => one.drop));
    await made[0]!.database.query(`create table mine (id int)`);
    const tables = await Promise.all(
      made.map(({ database }) =>
        database.query(`select to_regclass('migration') as ours, to_regclass('mine') as mine`),
      ),
    );
    expect(tables.map((rows) => rows[0])).toEqual([
      { ours: 'migration', mine: 'mine' },
      ...Array.from({ length: 7 }, () => ({ ours: 'migration', mine: null })),
    ]);
  });

  it('has no tables when asked for an empty one', async () => {
    const { database, drop } = await freshDatabase({ migrated: false });
    drops.push(drop);
    expect(await database.query(`select to_regclass('migration') as ours`)).toEqual([{ ours: null }]);
  });
});
