import { createHmac } from 'node:crypto';

import type { Database } from '#platform/database/database';
import type { Instances } from '#platform/instances/instances';

import { type Claim, type FirstAnswer, IdempotencyKeys, type Mine } from './idempotency.port.js';

interface Row {
  fingerprint: string;
  owner: string;
  answer: FirstAnswer | null;
  command_id: string;
  claimed_at: string;
  ran_out: boolean;
}

const KEPT = `interval '24 hours'`;
/** Longer than any request takes: whoever claimed it before that doesn't work on it any more. */
const CLAIM_ENDS_AFTER = `interval '2 minutes'`;
const PURGE_EVERY_MS = 60_000;
const NOBODY = '';

/** Keys and first answers in a table; a key whose OMA died before it answered may be claimed by the same request. */
export class PostgresIdempotencyKeys extends IdempotencyKeys {
  private readonly owner: string;
  private purgedAt = -Infinity;

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
    await this.purge();
    const [inserted] = await this.database.query<{ command_id: string; claimed_at: string }>(
      `insert into idempotency_key as known (user_id, key, fingerprint, owner) values ($1, $2, $3, $4)
       on conflict (user_id, key) do update
         set fingerprint = excluded.fingerprint, owner = excluded.owner, answer = null,
             command_id = excluded.command_id, claimed_at = now(), created_at = now()
         where known.created_at < now() - ${KEPT}
       returning command_id, claimed_at::text`,
      [userId, key, fingerprint, this.owner],
    );
    if (inserted !== undefined) return mine(inserted);
    const [row] = await this.database.query<Row & Record<string, unknown>>(
      `select fingerprint, owner, answer, command_id, claimed_at::text, claimed_at < now() - ${CLAIM_ENDS_AFTER} as ran_out
         from idempotency_key where user_id = $1 and key = $2`,
      [userId, key],
    );
    if (row === undefined) return this.claim(userId, key, request);
    if (row.fingerprint !== fingerprint) return { is: 'other-request' };
    if (row.answer !== null) return { is: 'answered', answer: row.answer };
    if (await this.isUnderWay(row)) return { is: 'under-way' };
    return this.takeOver(userId, key, row);
  }

  async answered(userId: string, key: string, { commandId }: Mine, answer: FirstAnswer): Promise<void> {
    await this.database.query(
      `update idempotency_key set answer = coalesce(answer, $4) where user_id = $1 and key = $2 and command_id = $3`,
      [userId, key, commandId, JSON.stringify(answer)],
    );
  }

  async release(userId: string, key: string, claim: Mine): Promise<void> {
    await this.database.query(
      `delete from idempotency_key
        where user_id = $1 and key = $2 and owner = $3 and claimed_at = $4::timestamptz and answer is null
          and claimed_at = created_at`,
      [userId, key, this.owner, claim.claimedAt],
    );
    await this.abandon(userId, key, claim);
  }

  async abandon(userId: string, key: string, { claimedAt }: Mine): Promise<void> {
    await this.database.query(
      `update idempotency_key set owner = $5
        where user_id = $1 and key = $2 and owner = $3 and claimed_at = $4::timestamptz and answer is null`,
      [userId, key, this.owner, claimedAt, NOBODY],
    );
  }

  private async isUnderWay({ owner, ran_out: ranOut }: Row): Promise<boolean> {
    return owner !== NOBODY && !ranOut && (await this.instances.isAlive(owner));
  }

  /** Of several who find a claim without an owner, one gets it. */
  private async takeOver(userId: string, key: string, row: Row): Promise<Claim> {
    const [taken] = await this.database.query<{ command_id: string; claimed_at: string }>(
      `update idempotency_key set owner = $3, claimed_at = now()
        where user_id = $1 and key = $2 and claimed_at = $4::timestamptz and answer is null
        returning command_id, claimed_at::text`,
      [userId, key, this.owner, row.claimed_at],
    );
    return taken === undefined ? { is: 'under-way' } : mine(taken);
  }

  /** What ran out is not looked at any more; that it goes is a matter of space, so not of every request. */
  private async purge(): Promise<void> {
    const now = performance.now();
    if (now - this.purgedAt < PURGE_EVERY_MS) return;
    this.purgedAt = now;
    await this.database.query(`delete from idempotency_key where created_at < now() - ${KEPT}`);
  }
}

function mine(row: { readonly command_id: string; readonly claimed_at: string }): Mine {
  return { is: 'mine', commandId: row.command_id, claimedAt: row.claimed_at };
}
