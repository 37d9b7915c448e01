import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { Argon2Passwords } from '#platform/auth/argon2.passwords';

import { freshDatabase } from '../kit/database.js';

describe('passwords', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let passwords: Argon2Passwords;

  beforeAll(async () => {
    fresh = await freshDatabase();
    passwords = new Argon2Passwords(fresh.database);
    await passwords.setFirst('ada', 'correct horse');
  });

  afterAll(async () => {
    await fresh.drop();
  });

  it('match when they are the same, and only then', async () => {
    expect(await passwords.matches('ada', 'correct horse')).toBe(true);
    expect(await passwords.matches('ada', 'Correct horse')).toBe(false);
    expect(await passwords.matches('nobody', 'correct horse')).toBe(false);
    expect(await passwords.exists('ada')).toBe(true);
    expect(await passwords.exists('nobody')).toBe(false);
  });

  it('are kept as Argon2id hashes with the parameters of OWASP', async () => {
    const [row] = await fresh.database.query<{ hash: string }>(`select hash from password where user_id = 'ada'`);
    expect(row?.hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it('have nothing beside them', async () => {
    const [row] = await fresh.database.query(`select * from password where user_id = 'ada'`);
    expect(Object.keys(row ?? {}).sort()).toEqual(['hash', 'user_id']);
  });

  it('stay as they were given first, also of several at once', async () => {
    const given = ['one', 'other', 'third'];
    const isFirst = await Promise.all(given.map((password) => passwords.setFirst('bob', password)));
    expect(isFirst.filter(Boolean)).toHaveLength(1);
    const matches = await Promise.all(given.map((password) => passwords.matches('bob', password)));
    expect(matches).toEqual(isFirst);
  });
});
