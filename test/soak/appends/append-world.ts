import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

import { Database } from '#platform/database/database';
import { EmbeddedPostgres } from '#platform/database/embedded-postgres';
import { migrate } from '#platform/database/migrate';
import { migrations } from '#platform/database/migrations';

import { eventually } from '../../kit/eventually.js';
import { seededRandom } from '../../kit/seeded-random.js';
import { silentLog } from '../../kit/silent-log.js';

const PROGRAM = 'test/soak/appends/appender.mjs';
const WRITERS = 24;
/** About how long writers are let alone; kills fall into starts, calls and commits. */
const LIFE_MS = 400;
const BACK_WITHIN_SECONDS = 60;

/** What a kill meets: the program that appends, the database's process that works for it, or the whole database. */
export type Victim = 'writers' | 'backend' | 'server';

/** What is in the log, against what the writers were told. */
export interface Count {
  readonly acknowledged: number;
  readonly stored: number;
  readonly lost: number;
  readonly doubled: number;
  /** Events of one writer that are missing although a later one of the same writer is there. */
  readonly skipped: number;
  readonly holes: number;
}

/** Writers in a program of their own, on a database that commits to the disk, killed again and again. */
export class AppendWorld {
  /** For each writer, how many of its events were acknowledged. */
  private readonly acknowledged = Array.from({ length: WRITERS }, () => 0);
  private child: ChildProcess | null = null;
  private reading: Promise<void> = Promise.resolve();

  private constructor(
    private readonly dir: string,
    private postgres: EmbeddedPostgres,
  ) {}

  static async open(): Promise<AppendWorld> {
    const dir = mkdtempSync(join(tmpdir(), 'oma-appends-'));
    const world = new AppendWorld(dir, await startIn(dir));
    await world.withDatabase((database) => migrate(database, migrations, silentLog));
    return world;
  }

  async close(): Promise<void> {
    await this.end('SIGKILL');
    await this.postgres.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Lets the writers work for a while and kills; afterwards they have gone on where they were. */
  async kill(seed: number): Promise<Victim> {
    const random = seededRandom(seed);
    const chance = random();
    const victim = chance < 0.7 ? 'writers' : chance < 0.9 ? 'backend' : 'server';
    if (this.child === null) this.start();
    await pause(random() * LIFE_MS);
    if (victim === 'writers') await this.end('SIGKILL');
    if (victim === 'backend') await this.killBackend();
    if (victim === 'server') await this.killServer();
    if (this.child === null) this.start();
    await this.progress();
    return victim;
  }

  /** Ends the writers and counts. */
  async count(): Promise<Count> {
    await this.end('SIGKILL');
    return this.withDatabase(async (database) => {
      const [row] = await database.query<Record<keyof Count, string>>(
        `with e as (
           select (data->>'writer')::int writer, (data->>'number')::int number, position from es.event),
         told as (select w - 1 writer, n from unnest($1::int[]) with ordinality t(n, w))
         select (select sum(n) from told) acknowledged,
                (select count(*) from e) stored,
                (select count(*) from told, generate_series(0, n - 1) g(number)
                  where not exists (select from e where e.writer = told.writer and e.number = g.number)) lost,
                (select count(*) - count(distinct (writer, number)) from e) doubled,
                (select sum(top + 1 - n) from (select max(number) top, count(*) n from e group by writer) s) skipped,
                (select h.position - count(*) from e, es.head h group by h.position) holes`,
        [this.acknowledged],
      );
      if (row === undefined) throw new Error('nothing was counted');
      const { acknowledged, stored, lost, doubled, skipped, holes } = row;
      return {
        acknowledged: Number(acknowledged),
        stored: Number(stored),
        lost: Number(lost),
        doubled: Number(doubled),
        skipped: Number(skipped),
        holes: Number(holes),
      };
    });
  }

  private start(): void {
    const child = spawn(process.execPath, [PROGRAM], {
      env: { PATH: process.env['PATH'], DATABASE_URL: this.postgres.url, FROM: JSON.stringify(this.acknowledged) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child = child;
    this.reading = this.read(child);
  }

  /** A writer's answers come in the order of its events: anything else is a fault of the writers. */
  private async read(child: ChildProcess): Promise<void> {
    if (child.stdout === null) return;
    for await (const line of createInterface({ input: child.stdout })) {
      // A line that the kill cut off is no answer.
      const [, writer, number] = /^(\d+) (\d+)$/.exec(line)?.map(Number) ?? [];
      if (writer === undefined || number === undefined || this.acknowledged[writer] !== number) continue;
      this.acknowledged[writer] = number + 1;
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (child === null) return;
    this.child = null;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    }
    await this.reading;
    if (child.exitCode !== null) throw new Error(`the writers ended by themselves with ${child.exitCode}`);
  }

  /** The server takes the death of one process for a broken memory and begins anew with all of them. */
  private async killBackend(): Promise<void> {
    const pid = await this.withDatabase(async (database) => {
      const [row] = await database.query<{ pid: number }>(
        `select pid from pg_stat_activity where application_name = 'oma' and pid <> pg_backend_pid()
          order by state_change desc limit 1`,
      );
      return row?.pid;
    });
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }

  private async killServer(): Promise<void> {
    const [pid] = readFileSync(join(this.dir, 'postgres/data/postmaster.pid'), 'utf8').split('\n');
    process.kill(Number(pid), 'SIGKILL');
    await this.postgres.stop();
    this.postgres = await startIn(this.dir);
  }

  /** Waits until the writers have gone on. */
  private async progress(): Promise<void> {
    const before = this.total();
    await eventually(() => {
      if (this.total() === before) throw new Error('the writers do not go on');
    }, BACK_WITHIN_SECONDS);
  }

  private total(): number {
    return this.acknowledged.reduce((sum, count) => sum + count, 0);
  }

  private async withDatabase<Result>(work: (database: Database) => Promise<Result>): Promise<Result> {
    return eventually(async () => {
      const database = new Database(this.postgres.url);
      return work(database).finally(() => database.close());
    }, BACK_WITHIN_SECONDS);
  }
}

function startIn(dataDir: string): Promise<EmbeddedPostgres> {
  return EmbeddedPostgres.start({ dataDir, log: silentLog });
}
