import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { masterKey } from '#platform/secrets/master-key';
import { PostgresVault } from '#platform/secrets/postgres.vault';

import { freshDatabase } from '../kit/database.js';

describe('the vault', () => {
  const mayMake = () => Promise.resolve(true);
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let folder: string;
  const key = randomBytes(32);

  beforeEach(async () => {
    fresh = await freshDatabase();
    folder = mkdtempSync(join(tmpdir(), 'oma-vault-'));
  });

  afterEach(async () => {
    await fresh.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const unlock = (master = key) => PostgresVault.unlock(fresh.database, master);

  it('gives a secret back, and keeps nothing of it in clear', async () => {
    const { ref } = await (await unlock()).put('geheim – ß');
    expect(await (await unlock()).open(ref)).toBe('geheim – ß');
    const [row] = await fresh.database.query<{ text: string }>('select secret::text as text from secret');
    expect(row?.text).not.toContain(Buffer.from('geheim').toString('hex'));
  });

  it('shows of the same secret nothing that is the same twice', async () => {
    const vault = await unlock();
    const kept = await Promise.all([vault.put('same'), vault.put('same'), vault.put('other')]);
    expect(new Set(kept.map(({ fingerprint }) => fingerprint)).size).toBe(3);
    expect(new Set(kept.map(({ ref }) => ref)).size).toBe(3);
    const rows = await fresh.database.query<{ sealed: Buffer }>('select sealed from secret');
    expect(new Set(rows.map(({ sealed }) => sealed.toString('hex'))).size).toBe(3);
  });

  it('forgets a secret for good', async () => {
    const vault = await unlock();
    const { ref } = await vault.put('once');
    await vault.forget(ref);
    await vault.forget(ref);
    await expect(vault.open(ref)).rejects.toThrow('no secret');
  });

  it('notices when anything of a secret was changed or put in the place of another', async () => {
    const vault = await unlock();
    const [one, two] = await Promise.all([vault.put('one'), vault.put('two')]);
    await fresh.database.query(
      `update secret set sealed = o.sealed, wrapped_key = o.wrapped_key from secret o where secret.ref = $1 and o.ref = $2`,
      [one.ref, two.ref],
    );
    await expect(vault.open(one.ref)).rejects.toThrow();
    await fresh.database.query(
      `update secret set sealed = set_byte(sealed, 14, get_byte(sealed, 14) # 1) where ref = $1`,
      [two.ref],
    );
    await expect(vault.open(two.ref)).rejects.toThrow();
  });

  it('is not opened by another master key', async () => {
    await unlock();
    await expect(unlock(randomBytes(32))).rejects.toThrow('another master key');
  });

  it('has a master key of its own, made once and for its owner only', async () => {
    const [one, two] = await Promise.all([
      masterKey(folder, undefined, mayMake),
      masterKey(folder, undefined, mayMake),
    ]);
    expect(one).toEqual(two);
    expect(await masterKey(folder, undefined, mayMake)).toEqual(one);
    expect(statSync(join(folder, 'master-key')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'master-key'), 'utf8').trim()).toBe(one.toString('hex'));
    expect(await masterKey(folder, key.toString('hex'), mayMake)).toEqual(key);
  });

  it('refuses a key file that holds something else', async () => {
    writeFileSync(join(folder, 'master-key'), 'abc\n');
    await expect(masterKey(folder, undefined, mayMake)).rejects.toThrow('hexadecimal');
  });
});
