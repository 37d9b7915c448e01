import { setTimeout as pause } from 'node:timers/promises';

import type { Database } from './database.js';
import { Heartbeat } from './heartbeat.port.js';

const ANSWER_WITHIN_MS = 2000;

export class PostgresHeartbeat extends Heartbeat {
  constructor(private readonly database: Database) {
    super();
  }

  async beats(): Promise<boolean> {
    const asked = this.database.query('select 1').then(
      () => true,
      () => false,
    );
    return Promise.race([asked, pause(ANSWER_WITHIN_MS, false, { ref: false })]);
  }
}
