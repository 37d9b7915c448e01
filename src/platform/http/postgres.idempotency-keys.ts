import { createHmac } from 'node:crypto';

import type { Database } from '#platform/database/database';
import type { Instances } from '#platform/instances/instances';

import { type Claim, type FirstAnswer, IdempotencyKeys } from './idempotency.port.js';

interface Row {
  fingerprint: string;
  owner: string;
  answer: FirstAnswer | null;
}

/** Keys and first answers in a table; a key whose OMA died before it answered is free again. */
export class PostgresIdempotencyKeys extends IdempotencyKeys {
  private readonly owner: string;

  constructor(
    private readonly database: Database,
    private readonly hashKey: Buffer,
    private readonly instances: Instances,
  ) {
    super();
    this.owner = instances.identity.startId;
  }

  async claim(userId: string, key: string, request: string): Promise<Claim> {
    const fingerprint = createHmac('sha256', this.hashKey).update(request).digest('hex');
    await this.database.query(`delete from idempotency_key where created_at < now() - interval '24 hours'`);
    const inserted = await this.database.query(
      `insert into idempotency_key (user_id, key, fingerprint, owner) values ($1, $2, $3, $4)
       on conflict do nothing returning key`,
      [userId, key, fingerprint, this.owner],
    );
    if (inserted.length > 0) return { is: 'mine' };
    const [row] = await this.database.query<Row & Record<string, unknown>>(
      `select fingerprint, owner, answer from idempotency_key where user_id = $1 and key = $2`,
      [userId, key],
    );
    if (row === undefined) return this.claim(userId, key, request);
    if (row.fingerprint !== fingerprint) return { is: 'other-request' };
    if (row.answer !== null) return { is: 'answered', answer: row.answer };
    if (await this.instances.isAlive(row.owner)) return { is: 'under-way' };
    const taken = await this.database.query(
      `update idempotency_key set owner = $3 where user_id = $1 and key = $2 and owner = $4 returning key`,
      [userId, key, this.owner, row.owner],
    );
    return taken.length > 0 ? { is: 'mine' } : { is: 'under-way' };
  }

  async answered(userId: string, key: string, answer: FirstAnswer): Promise<void> {
    await this.database.query(`update idempotency_key set answer = $3 where user_id = $1 and key = $2`, [
      userId,
      key,
      JSON.stringify(answer),
    ]);
  }

  async release(userId: string, key: string): Promise<void> {
    await this.database.query(
      `delete from idempotency_key where user_id = $1 and key = $2 and owner = $3 and answer is null`,
      [userId, key, this.owner],
    );
  }
}
