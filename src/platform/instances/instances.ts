import { hostname } from 'node:os';

import { Ticker } from '#platform/clock/ticker';
import { until } from '#platform/clock/until';
import type { Database } from '#platform/database/database';
import { isDatabaseAway } from '#platform/database/database-away';
import type { Logger } from '#platform/logging/logger.port';

import type { InstanceIdentity } from './instance-id.js';
import { isGone, thisProcess } from './process-place.js';

/** How long silence is borne. */
export interface InstanceTimes {
  /** An instance that was not heard of for so long is taken for dead: what is bound to no machine is done by others. */
  readonly aliveSeconds: number;
  readonly beatMs: number;
  /** So long after that it is given up by others that were not silent themselves: they end what it had under way. */
  readonly goneSeconds: number;
}

/** `aliveSeconds` is what a lease lasts, too: who is taken for dead has lost its leases. */
export const INSTANCE_TIMES = { aliveSeconds: 30, beatMs: 5000 };

/** Another process uses this instance's id just now. */
export class InstanceIsRunning extends Error {
  override readonly name = 'InstanceIsRunning';

  constructor(host: string) {
    super(
      `another OMA with this data folder's instance-id is running on ${host}: the folder is shared or a copy; ` +
        'give each instance a data folder of its own (in a copy, remove the file instance-id)',
    );
  }
}

/** The instance where something lives; `host` is null when it was given up. */
export interface Home {
  readonly instanceId: string;
  readonly host: string | null;
}

interface Row {
  readonly start_id: string;
  readonly host: string;
  readonly process: string;
  readonly is_alive: boolean;
}

/**
 * The OMAs that work on one database. Each has a row and says again and again that it lives; one that was silent for long
 * is given up by the others: its row goes, and when it comes back it has to start anew.
 */
export class Instances {
  /** Resolves when the others have given this instance up: it must end, and may start again. */
  readonly givenUp: Promise<void>;
  private readonly beating: Ticker;
  private lastBeatAt = -Infinity;
  private steadySince = 0;
  private sayGivenUp: () => void = () => undefined;

  constructor(
    private readonly database: Database,
    readonly identity: InstanceIdentity,
    private readonly logger: Logger,
    private readonly times: InstanceTimes,
  ) {
    this.givenUp = new Promise((resolve) => (this.sayGivenUp = resolve));
    this.beating = new Ticker(
      times.beatMs,
      () => this.beat(),
      (error) => {
        logger.warn({ error }, 'this instance could not say that it lives; it tries again');
      },
    );
  }

  /**
   * Takes the instance's place. An earlier start that can't be seen to be dead (another container, another machine) is
   * waited for until it has been silent for long enough. Throws InstanceIsRunning when it isn't silent.
   */
  async register(): Promise<void> {
    const waitMs = (this.times.aliveSeconds * 1000 + this.times.beatMs) * 1.2;
    let isMine = (await this.takePlace()) ? true : null;
    if (isMine === null) {
      this.logger.warn(
        { waitMs },
        'an earlier start of this instance may still be running; this one waits until it is silent',
      );
      isMine = await until(async () => ((await this.takePlace()) ? true : null), waitMs);
    }
    if (isMine === null) throw new InstanceIsRunning((await this.row())?.host ?? 'a machine unknown');
    this.beating.start();
  }

  /** No sign of life any more: what this instance had under way is its own for as long as it isn't given up. */
  async stop(): Promise<void> {
    await this.beating.stop();
    const { instanceId, startId } = this.identity;
    try {
      const sql = `update instance set alive_until = now() where instance_id = $1 and start_id = $2`;
      await this.database.query(sql, [instanceId, startId]);
    } catch (error) {
      if (!isDatabaseAway(error)) throw error;
      this.logger.warn({ error }, 'the database is away: others learn from its silence that this instance stopped');
    }
  }

  /** Whether the start of some instance is alive, as far as anybody knows. */
  async isAlive(startId: string): Promise<boolean> {
    const rows = await this.database.query(`select from instance where start_id = $1 and alive_until > now()`, [
      startId,
    ]);
    return rows.length > 0;
  }

  /** Where the things of a saga live when it is at another instance than this one; null when here or nowhere. */
  async elsewhere(saga: string, sagaId: string): Promise<Home | null> {
    const [row] = await this.database.query<{ home: string; host: string | null }>(
      `select e.home, i.host from effect e left join instance i on i.instance_id = e.home
        where e.stream = $1 and e.home is not null limit 1`,
      [`${saga}-${sagaId}`],
    );
    if (row === undefined || row.home === this.identity.instanceId) return null;
    return { instanceId: row.home, host: row.host };
  }

  private async row(): Promise<Row | undefined> {
    const [row] = await this.database.query<Row & Record<string, unknown>>(
      `select start_id, host, process, alive_until > now() as is_alive from instance where instance_id = $1`,
      [this.identity.instanceId],
    );
    return row;
  }

  private async takePlace(): Promise<boolean> {
    const found = await this.row();
    if (found?.is_alive === true && !isGone(found.process)) return false;
    const { instanceId, startId } = this.identity;
    const taken = await this.database.query(
      `insert into instance as i (instance_id, start_id, host, process, alive_until)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5))
       on conflict (instance_id) do update
         set start_id = excluded.start_id, host = excluded.host, process = excluded.process,
             alive_until = excluded.alive_until, started_at = now()
         where i.start_id = $6
       returning i.instance_id`,
      [instanceId, startId, hostname(), thisProcess(), this.times.aliveSeconds, found?.start_id ?? null],
    );
    return taken.length > 0;
  }

  private async beat(): Promise<void> {
    const { instanceId, startId } = this.identity;
    const [alive] = await this.database.query<{ at: number }>(
      `update instance set alive_until = now() + make_interval(secs => $3)
        where instance_id = $1 and start_id = $2 returning extract(epoch from now())::float8 as at`,
      [instanceId, startId, this.times.aliveSeconds],
    );
    if (alive === undefined) {
      this.logger.error({ instanceId }, 'the other instances have given this one up; it ends, and may start again');
      this.sayGivenUp();
      return;
    }
    if (this.mayJudge(alive.at)) await this.giveUpSilent();
  }

  /**
   * Who was cut off itself can't tell whether the others were silent: they get the time of a lease to be heard of again. A beat is
   * timed by the database, whose clock may jump: to it all others look silent then.
   */
  private mayJudge(beatAt: number): boolean {
    const isSteady = beatAt - this.lastBeatAt < this.times.aliveSeconds / 2;
    this.lastBeatAt = beatAt;
    if (!isSteady) this.steadySince = performance.now();
    return performance.now() - this.steadySince >= this.times.aliveSeconds * 1000;
  }

  /** Silence is measured against the last beat of this instance, which is the time that `mayJudge` looked at. */
  private async giveUpSilent(): Promise<void> {
    const { aliveSeconds, goneSeconds } = this.times;
    const gone = await this.database.query<{ instance_id: string; host: string }>(
      `delete from instance i using instance own
        where own.instance_id = $1 and i.alive_until < own.alive_until - make_interval(secs => $2)
        returning i.instance_id, i.host`,
      [this.identity.instanceId, aliveSeconds + goneSeconds],
    );
    for (const { instance_id: id, host } of gone) {
      this.logger.warn(
        { instanceId: id, host },
        'an instance gave no sign of life and is given up; its jobs are ended',
      );
    }
  }
}
