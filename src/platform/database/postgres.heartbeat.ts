import { setTimeout as pause } from 'node:timers/promises';

import type pg from 'pg';

import type { Database } from './database.js';
import { Heartbeat } from './heartbeat.port.js';

const ANSWER_WITHIN_MS = 2000;

export class PostgresHeartbeat extends Heartbeat {
  constructor(private readonly database: Database) {
    super();
  }

  async beats(): Promise<boolean> {
    const look: pg.QueryConfig & { readonly query_timeout: number } = {
      text: 'select 1',
      query_timeout: ANSWER_WITHIN_MS,
    };
    // One that hangs must not hold its place in the pool.
    const asked = this.database.pool.query(look).then(
      () => true,
      () => false,
    );
    return Promise.race([asked, pause(ANSWER_WITHIN_MS, false, { ref: false })]);
  }
}
