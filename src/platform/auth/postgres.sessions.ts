import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import type { Database } from '#platform/database/database';
import { isDatabaseAway } from '#platform/database/database-away';
import type { Views } from '#platform/database/views';
import type { Principal, Role } from '#platform/http/access';
import { Sessions } from '#platform/http/sessions.port';

import { RecentTokens } from './recent-tokens.js';

const TOKEN_BYTES = 32;
const HOURS = 24;
/** Who may be answered from memory waits no longer for the database than this. */
const ANSWER_WITHIN_MS = 2000;

interface Found {
  readonly principal: Principal;
  readonly leftMs: number;
}

/** Sessions in a table that holds only hashes of their tokens; a token has 256 random bits, so a plain hash is enough. */
export class PostgresSessions extends Sessions {
  constructor(
    private readonly database: Database,
    private readonly views: Views,
    private readonly recent = new RecentTokens(),
  ) {
    super();
  }

  async open(userId: string): Promise<{ token: string; expiresAt: Date }> {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    await this.database.query(`delete from session where expires_at < now()`);
    const [row] = await this.database.query<{ expires_at: Date }>(
      `insert into session (token_hash, user_id, expires_at) values ($1, $2, now() + make_interval(hours => $3))
       returning expires_at`,
      [hashOf(token), userId, HOURS],
    );
    if (row === undefined) throw new Error('a session could not be stored');
    return { token, expiresAt: row.expires_at };
  }

  async principalOf(token: string): Promise<Principal | null> {
    return (await this.find(hashOf(token)))?.principal ?? null;
  }

  async recentPrincipalOf(token: string): Promise<Principal | null> {
    const hash = hashOf(token);
    const known = this.recent.principalOf(hash);
    const looking = this.lookUp(hash);
    if (known === null) return looking;
    const unlessAway = looking.catch((error: unknown) => {
      if (isDatabaseAway(error)) return known;
      throw error;
    });
    return Promise.race([unlessAway, pause(ANSWER_WITHIN_MS, known, { ref: false })]);
  }

  async revoke(token: string): Promise<void> {
    await this.database.query(`delete from session where token_hash = $1`, [hashOf(token)]);
    this.recent.isBad(hashOf(token));
  }

  /** What the database says is remembered, be it yes or no. */
  private async lookUp(hash: string): Promise<Principal | null> {
    const found = await this.find(hash);
    if (found === null) this.recent.isBad(hash);
    else this.recent.wasGood(hash, found.principal, found.leftMs);
    return found?.principal ?? null;
  }

  /**
   * By the connection that mostly reads rows next, and so by a process of the database that is awake: to wake another one costs more
   * time than the statement. Where all of those have readers, by the others: who reads slowly must not keep everybody out.
   */
  private asked<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.views.isBusy ? this.database.prepared(text, values) : this.views.select(text, values);
  }

  /** A user that an earlier version gave the role of appliances must not speak for one. */
  private async find(hash: string): Promise<Found | null> {
    const [row] = await this.asked<{ user_id: string; username: string; role: Role; left_ms: number }>(
      `select s.user_id, u.username, u.role, extract(epoch from s.expires_at - now())::float8 * 1000 as left_ms
         from session s join app_user u on u.user_id = s.user_id
        where s.token_hash = $1 and s.expires_at > now() and u.role <> 'agent'`,
      [hash],
    );
    if (row === undefined) return null;
    return { principal: { userId: row.user_id, username: row.username, role: row.role }, leftMs: row.left_ms };
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
