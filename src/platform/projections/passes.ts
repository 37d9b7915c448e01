import type { Position } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';

import type { Generation } from './tables.js';

interface Pass {
  readonly live: Generation;
  readonly from: Position;
  readonly upTo: Position;
  readonly resolve: (passed: boolean | Promise<boolean>) => void;
  readonly reject: (error: unknown) => void;
}

const UNHURRIED = `with unhurried as (select set_config('synchronous_commit', 'off', true))`;
/** Whoever else moves one of them isn't waited for here. */
const TOGETHER = `${UNHURRIED}, passing as (
    select p.name, p.version, p.generation, w.up_to
      from unnest($1::text[], $2::integer[], $3::integer[], $4::text[], $5::text[]) w (name, version, generation, since, up_to)
      join projection p using (name, version, generation)
     where p.live and p.status = 'running' and p.position = w.since
     order by p.name for update of p skip locked)
  update projection p set position = passing.up_to, updated_at = now() from passing, unhurried
   where p.name = passing.name and p.version = passing.version and p.generation = passing.generation
  returning p.name`;
const ALONE = `${UNHURRIED}
  update projection set position = $5, updated_at = now() from unhurried
   where name = $1 and version = $2 and generation = $3 and live and status = 'running' and position = $4`;

/**
 * Moves the checkpoints of live rows past events that are nothing to them: all that are asked for at one moment in one statement.
 * No row changes with it, so it doesn't matter whether a checkpoint outlives a crash of the database.
 */
export class Passes {
  private waiting: Pass[] = [];

  constructor(private readonly database: Database) {}

  /** False when the checkpoint isn't where it was thought to be, or these rows are no longer to be moved. */
  pass(live: Generation, from: Position, upTo: Position): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (this.waiting.length === 0) setImmediate(() => void this.send());
      this.waiting.push({ live, from, upTo, resolve, reject });
    });
  }

  private async send(): Promise<void> {
    const batch = this.waiting;
    this.waiting = [];
    try {
      const { rows } = await this.database.pool.query<{ name: string }>({
        name: 'projections pass',
        text: TOGETHER,
        values: [
          batch.map(({ live }) => live.name),
          batch.map(({ live }) => live.version),
          batch.map(({ live }) => live.generation),
          batch.map(({ from }) => from),
          batch.map(({ upTo }) => upTo),
        ],
      });
      const passed = new Set(rows.map(({ name }) => name));
      for (const one of batch) one.resolve(passed.has(one.live.name) || this.alone(one));
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  }

  /** Behind whoever holds it. */
  private async alone({ live: { name, version, generation }, from, upTo }: Pass): Promise<boolean> {
    const { rowCount } = await this.database.pool.query({
      name: 'projection pass',
      text: ALONE,
      values: [name, version, generation, from, upTo],
    });
    return rowCount !== 0;
  }
}
