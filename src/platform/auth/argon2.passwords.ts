import { hash, verify } from '@node-rs/argon2';

import type { Database } from '#platform/database/database';

import { Passwords } from './passwords.port.js';

/** Argon2id (RFC 9106), the library's default, with the parameters that OWASP recommends: 19 MiB, two passes, one lane. */
const OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export class Argon2Passwords extends Passwords {
  private decoy: Promise<string> | undefined;

  constructor(private readonly database: Database) {
    super();
  }

  async exists(userId: string): Promise<boolean> {
    return (await this.database.query(`select from password where user_id = $1`, [userId])).length > 0;
  }

  async setFirst(userId: string, password: string): Promise<boolean> {
    const made = await this.database.query(
      `insert into password (user_id, hash) values ($1, $2) on conflict do nothing returning user_id`,
      [userId, await hash(password, OPTIONS)],
    );
    return made.length > 0;
  }

  async matches(userId: string, password: string): Promise<boolean> {
    const [row] = await this.database.query<{ hash: string }>(`select hash from password where user_id = $1`, [userId]);
    this.decoy ??= hash('nobody has this password', OPTIONS);
    const matched = await verify(row?.hash ?? (await this.decoy), password);
    return row !== undefined && matched;
  }
}
