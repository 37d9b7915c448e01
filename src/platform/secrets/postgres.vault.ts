import { createHmac, randomBytes } from 'node:crypto';

import type { Database } from '#platform/database/database';
import { newId } from '#platform/ids/ids';
import { Misfit } from '#platform/start/cannot-start';

import { KEY_BYTES, keyFor, seal, unseal } from './sealing.js';
import { Vault } from './vault.port.js';

const SEAL = 'oma vault';

/** The database's secrets were encrypted under another master key. */
class WrongMasterKey extends Misfit {
  constructor() {
    super('the vault was made with another master key; start with that one (OMA_MASTER_KEY or the file master-key)');
  }
}

/** There is no secret under this reference any more. */
class SecretIsGone extends Error {
  constructor() {
    super('the vault holds no secret under this reference');
    this.name = 'SecretIsGone';
  }
}

/**
 * Each secret is encrypted under a random data key of its own, and that key under one derived from the master key. Both
 * stand in one row: deleting it erases the secret, whatever copies of the master key there are.
 */
export class PostgresVault extends Vault {
  private readonly wrapping: Buffer;
  private readonly fingerprinting: Buffer;

  private constructor(
    private readonly database: Database,
    master: Buffer,
  ) {
    super();
    this.wrapping = keyFor(master, 'oma vault wrapping');
    this.fingerprinting = keyFor(master, 'oma vault fingerprint');
  }

  /** Whether no vault was made here yet, so that any key will do. */
  static async isUnmade(database: Database): Promise<boolean> {
    return (await database.query(`select from vault_seal`)).length === 0;
  }

  /** Throws WrongMasterKey before anything could be encrypted under a second key. */
  static async unlock(database: Database, master: Buffer): Promise<PostgresVault> {
    const vault = new PostgresVault(database, master);
    const mine = seal(vault.wrapping, Buffer.from(SEAL), SEAL);
    await database.query(`insert into vault_seal (sealed) values ($1) on conflict do nothing`, [mine]);
    const [row] = await database.query<{ sealed: Buffer }>(`select sealed from vault_seal`);
    try {
      unseal(vault.wrapping, row?.sealed ?? Buffer.alloc(0), SEAL);
    } catch {
      throw new WrongMasterKey();
    }
    return vault;
  }

  async put(secret: string): Promise<{ readonly ref: string; readonly fingerprint: string }> {
    const ref = newId();
    const key = randomBytes(KEY_BYTES);
    await this.database.query(`insert into secret (ref, wrapped_key, sealed) values ($1, $2, $3)`, [
      ref,
      seal(this.wrapping, key, ref),
      seal(key, Buffer.from(secret), ref),
    ]);
    return { ref, fingerprint: createHmac('sha256', this.fingerprinting).update(`${ref} ${secret}`).digest('hex') };
  }

  async open(ref: string): Promise<string> {
    const [row] = await this.database.query<{ wrapped_key: Buffer; sealed: Buffer }>(
      `select wrapped_key, sealed from secret where ref = $1`,
      [ref],
    );
    if (row === undefined) throw new SecretIsGone();
    return unseal(unseal(this.wrapping, row.wrapped_key, ref), row.sealed, ref).toString();
  }

  async forget(ref: string): Promise<void> {
    await this.database.query(`delete from secret where ref = $1`, [ref]);
  }
}
