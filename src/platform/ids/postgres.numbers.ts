import type { Database } from '#platform/database/database';

import { Numbers } from './numbers.port.js';

/** Sequences, which count on whatever becomes of the transaction. */
export class PostgresNumbers extends Numbers {
  constructor(private readonly database: Database) {
    super();
  }

  async next(of: 'credential'): Promise<number> {
    const [row] = await this.database.query<{ next: number }>(`select nextval($1)::integer as next`, [
      `number_of_${of}`,
    ]);
    if (row === undefined) throw new Error('a sequence gave no number');
    return row.next;
  }
}
