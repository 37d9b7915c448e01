import { Ticker } from '#platform/clock/ticker';

import { Build, type BuildParts } from './build.js';
import { buildLock, checkLock, isUnlocked } from './build-connection.js';
import { Check, endIfReplaced } from './check.js';
import { openChecks } from './check-log.js';
import { type Registered, registered } from './registry.js';
import { type AnyProjection, tableOf } from './tables.js';

const LOOK_MS = 1000;
/** Retired rows are kept so long: whoever still reads them by name may end in peace. */
const KEPT_RETIRED = '1 day';

/** Where the work is done: in this thread, or in one of its own. */
export interface Workshop {
  build(projection: AnyProjection, signal: AbortSignal): Promise<unknown>;
  check(projection: AnyProjection, id: string, signal: AbortSignal): Promise<unknown>;
}

/** In this thread: right for who has nothing else to do in it. */
export function workshopHere(parts: BuildParts): Workshop {
  return {
    build: (projection, signal) => new Build(parts, projection).run(signal),
    check: (projection, id, signal) => new Check(parts, projection, id).run(signal),
  };
}

/**
 * Builds what the registry says is to be built and compares what is to be compared, unless another process does, and removes
 * what is no longer of use. What an instance that was killed began, the next turn of any other goes on with.
 */
export class Upkeep {
  private readonly underWay = new Map<string, Promise<void>>();
  private readonly ticker: Ticker;
  private controller = new AbortController();

  constructor(
    private readonly parts: BuildParts,
    private readonly projections: readonly AnyProjection[],
    private readonly workshop: Workshop = workshopHere(parts),
  ) {
    this.ticker = new Ticker(
      LOOK_MS,
      () => this.look(),
      (error) => {
        parts.logger.warn({ error }, 'rebuilds could not be looked after; it is tried again');
      },
    );
  }

  start(): void {
    this.controller = new AbortController();
    this.ticker.start();
  }

  /** Tells that the registry changed. */
  wake(): void {
    this.ticker.wake();
  }

  /** Builds under way are left as they are; the next start goes on with them. */
  async stop(): Promise<void> {
    this.controller.abort();
    await this.ticker.stop();
    await Promise.all(this.underWay.values());
  }

  private async look(): Promise<void> {
    const condition = `(status = 'building' and not live) or status = 'cancelled'
      or (status = 'retired' and retired_at < now() - $1::interval)`;
    for (const row of await registered(this.parts.database.pool, condition, [KEPT_RETIRED])) {
      if (row.status !== 'building') await this.clear(tableOf(row), () => this.remove(row));
      else {
        const own = this.own(row);
        if (own !== undefined) await this.begin(buildLock(row), () => this.workshop.build(own, this.controller.signal));
      }
    }
    for (const check of await openChecks(this.parts.database)) {
      const own = this.own(check);
      if (own === undefined) await this.clear(`check ${check.id}`, () => endIfReplaced(this.parts.database, check));
      else await this.begin(checkLock(check.id), () => this.workshop.check(own, check.id, this.controller.signal));
    }
  }

  private own(made: { readonly name: string; readonly version: number }): AnyProjection | undefined {
    return this.projections.find(({ name, version }) => name === made.name && version === made.version);
  }

  /** Unless somebody has the lock of that name, here or in another process. */
  private async begin(what: string, work: () => Promise<unknown>): Promise<void> {
    if (this.underWay.has(what) || !(await isUnlocked(this.parts.database, what))) return;
    const done = work()
      .then(
        () => undefined,
        (error: unknown) => {
          this.parts.logger.error({ error, what }, 'work on projections ended badly; it is begun again');
        },
      )
      .finally(() => {
        this.underWay.delete(what);
      });
    this.underWay.set(what, done);
  }

  /** What can't be cleared away yet, as while somebody reads it, keeps nothing else waiting. */
  private async clear(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.parts.logger.warn({ error, what }, 'what is of no use any more could not be removed; it is tried again');
    }
  }

  /** Not while somebody builds it, nor while somebody reads it: then at a later turn. */
  private async remove(row: Registered): Promise<void> {
    await this.parts.database.transaction(async (sql) => {
      await sql.query(`set local lock_timeout = '1s'`);
      const { rows } = await sql.query<{ locked: boolean }>(
        'select pg_try_advisory_xact_lock(hashtext($1), 0) as locked',
        [buildLock(row)],
      );
      if (rows[0]?.locked !== true) return;
      await sql.query(`drop table if exists ${tableOf(row)}`);
      await sql.query(
        `delete from projection where name = $1 and version = $2 and generation = $3 and status = $4 and not live`,
        [row.name, row.version, row.generation, row.status],
      );
    });
  }
}
