import { setTimeout as pause } from 'node:timers/promises';

import type { Position } from '#domain/kernel/event';
import { AtMostEvery } from '#platform/clock/at-most-every';
import type { Database } from '#platform/database/database';

import { Moved } from './poison.js';
import type { Generation } from './tables.js';

interface Pass {
  readonly live: Generation;
  readonly from: Position;
  readonly upTo: Position;
}

/** So long others may take rows to be further back than they are. */
const PASS_EVERY_MS = 100;
/** So long it is waited at a stop for a row that somebody holds; then it is taken to be where it was. */
const STOP_WITHIN_MS = 2000;

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
 * The checkpoint of a live generation, as one follower of the log knows it: where it stands in the registry, and up to where events were
 * nothing to its rows since. The latter is written down now and then: no row changes with it.
 */
export class Checkpoint {
  private readonly over = new AbortController();
  private reached: Position;
  private underWay: Promise<void> | null = null;
  private failure: { readonly error: unknown } | null = null;

  constructor(
    readonly live: Generation,
    private at: Position,
    private readonly passes: Passes,
  ) {
    this.reached = at;
  }

  /** Aborted when it could not be written down; `assure` throws why. */
  get lost(): AbortSignal {
    return this.over.signal;
  }

  assure(): void {
    if (this.failure !== null) throw this.failure.error;
  }

  /** Nothing up to here was anything to the rows. */
  passTo(upTo: Position): void {
    if (upTo === this.reached) return;
    this.reached = upTo;
    this.passes.soon(this);
  }

  /** Where it stands, for whoever moves it together with rows. Throws Moved when it is somewhere else, or not to be moved any more. */
  async stored(): Promise<Position> {
    this.forget();
    await this.underWay;
    // The one under way may have asked for the next one when it ended.
    this.forget();
    this.assure();
    return this.at;
  }

  /** It was moved together with rows. */
  movedTo(upTo: Position): void {
    this.at = upTo;
    this.reached = upTo;
  }

  /** Writes down at once how far the rows are, and answers that. Throws Moved like `stored`. */
  async settle(): Promise<Position> {
    const from = await this.stored();
    if (from !== this.reached) await this.write((pass) => this.passes.alone(pass));
    return this.stored();
  }

  /** What was to be written down isn't any more. */
  forget(): void {
    this.passes.forget(this);
  }

  /** Has `pass` write down how far the rows are; null when somebody does already. */
  write(pass: (pass: Pass) => Promise<boolean>): Promise<void> | null {
    if (this.underWay !== null) return null;
    const { live, at: from, reached: upTo } = this;
    this.underWay = pass({ live, from, upTo })
      .then((passed) => {
        if (!passed) throw new Moved();
        this.at = upTo;
      })
      .catch((error: unknown) => {
        this.failure = { error };
        this.over.abort();
      })
      .finally(() => {
        this.underWay = null;
        if (this.reached !== this.at && this.failure === null) this.passes.soon(this);
      });
    return this.underWay;
  }
}

/** Writes down how far rows are that nothing happened to: now and then, and all in one statement. */
export class Passes {
  private readonly waiting = new Set<Checkpoint>();
  private readonly underWay = new Set<Promise<void>>();
  private readonly sending = new AtMostEvery(PASS_EVERY_MS, () => this.send());

  constructor(private readonly database: Database) {}

  soon(checkpoint: Checkpoint): void {
    this.waiting.add(checkpoint);
    this.sending.ask();
  }

  forget(checkpoint: Checkpoint): void {
    this.waiting.delete(checkpoint);
  }

  /** Writes down what still is to be, so that nobody takes the rows of an OMA that was stopped to be behind. */
  async stop(): Promise<void> {
    await Promise.race([this.settled(), pause(STOP_WITHIN_MS, undefined, { ref: false })]);
  }

  /** Behind whoever holds it; false when it isn't where it was thought to be, or these rows are no longer to be moved. */
  async alone({ live: { name, version, generation }, from, upTo }: Pass): Promise<boolean> {
    const { rowCount } = await this.database.pool.query({
      name: 'projection pass',
      text: ALONE,
      values: [name, version, generation, from, upTo],
    });
    return rowCount !== 0;
  }

  /** Who has to wait behind somebody who holds its row keeps nobody else waiting. */
  private async send(): Promise<void> {
    const batch: Pass[] = [];
    const passed = Promise.resolve().then(() => this.together(batch));
    for (const checkpoint of this.waiting) {
      const writing = checkpoint.write(async (pass) => {
        batch.push(pass);
        return (await passed).has(pass.live.name) || this.alone(pass);
      });
      if (writing === null) continue;
      this.underWay.add(writing);
      void writing.then(() => this.underWay.delete(writing));
    }
    // Whoever is still at it asks again afterwards.
    this.waiting.clear();
    await passed.catch(() => undefined);
  }

  /** Until nothing is to be written down, and nobody is at it. */
  private async settled(): Promise<void> {
    do {
      await this.sending.stop();
      await this.send();
      await Promise.all(this.underWay);
    } while (this.waiting.size > 0);
  }

  /** The names of those that were moved. */
  private async together(batch: readonly Pass[]): Promise<ReadonlySet<string>> {
    if (batch.length === 0) return new Set();
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
    return new Set(rows.map(({ name }) => name));
  }
}
