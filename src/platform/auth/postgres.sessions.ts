import { createHash, randomBytes } from 'node:crypto';

import type { Database } from '#platform/database/database';
import type { Principal, Role } from '#platform/http/access';
import { Sessions } from '#platform/http/sessions.port';

const TOKEN_BYTES = 32;
const HOURS = 24;

/** Sessions in a table that holds only hashes of their tokens; a token has 256 random bits, so a plain hash is enough. */
export class PostgresSessions extends Sessions {
  constructor(private readonly database: Database) {
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
    // Asked with every request: planned once per connection.
    const { rows } = await this.database.pool.query<{ user_id: string; username: string; role: Role }>({
      name: 'session',
      text: `select s.user_id, u.username, u.role from session s join app_user u on u.user_id = s.user_id
        where s.token_hash = $1 and s.expires_at > now()`,
      values: [hashOf(token)],
    });
    const [row] = rows;
    return row === undefined ? null : { userId: row.user_id, username: row.username, role: row.role };
  }

  async revoke(token: string): Promise<void> {
    await this.database.query(`delete from session where token_hash = $1`, [hashOf(token)]);
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
