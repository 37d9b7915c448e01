import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import pg from 'pg';

import { projections } from '../../../src/catalogue.js';
import { Database } from '#platform/database/database';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { ProjectionRunner } from '#platform/projections/projection-runner';

import { freshDatabase } from '../../kit/database.js';
import { eventually } from '../../kit/eventually.js';
import { filesOfBackups, leftBehind } from '../../kit/left-behind.js';
import { doubledFacts, type LoggedEvent } from '../../kit/log-watch.js';
import { silentLog } from '../../kit/silent-log.js';
import type { TwoInstances } from './two-instances.js';
import type { Acknowledged, Kind } from './writers.js';

/** The event that says that a command was carried out; each exactly once. */
const FACTS: Readonly<Record<Exclude<Kind, 'vm'>, readonly string[]>> = {
  repository: ['RepositoryPlaceReserved', 'RepositoryCreated'],
  credential: ['Reserved', 'CredentialCreated'],
  user: ['UserCreated'],
  backup: ['VmHeld', 'BackupStarted', 'VmReleased'],
  mount: ['MountRequested'],
};
const FILES_PER_POINT = 3;

/** What was counted; everything in `wrong` must not be. */
export interface Findings {
  readonly wrong: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** What must hold when everything has come to rest, looked at from outside: the log, the rows, the world. */
export class Truths {
  private readonly wrong: string[] = [];
  private readonly counts: Record<string, number> = {};

  private constructor(
    private readonly world: TwoInstances,
    private readonly client: pg.Client,
  ) {}

  /** Before anything is written: from now on each row of the audit that is written a second time is counted. */
  static async open(world: TwoInstances): Promise<Truths> {
    const client = new pg.Client({ connectionString: world.instances[0].databaseUrl });
    await client.connect();
    const { rows } = await client.query<{ table_name: string }>(
      `select table_name from information_schema.view_table_usage where view_name = 'audit'`,
    );
    await client.query(`
      create table applied_again (row_id text);
      create function note_again() returns trigger language plpgsql as $$
      begin insert into applied_again values (new.event_id); return new; end $$;
      create trigger note_again after update on ${rows[0]?.table_name ?? ''}
        for each row execute function note_again();`);
    return new Truths(world, client);
  }

  async close(): Promise<void> {
    await this.client.end();
  }

  async look(acknowledged: readonly Acknowledged[]): Promise<Findings> {
    await this.everySagaEnded();
    await this.everyCommandOnce(acknowledged);
    await this.everyFactOnce();
    await this.rowsAreTheLog();
    await this.everyEffectOnce();
    await this.everyImageTrue();
    await this.nothingLeft();
    return { wrong: this.wrong, counts: this.counts };
  }

  private async everySagaEnded(): Promise<void> {
    const open = () =>
      this.client.query<{ stream: string }>(
        `select stream from es.event group by stream
          having bool_or(type = 'SagaInputReceived') and not bool_or(type = 'SagaEnded')`,
      );
    await eventually(async () => {
      if ((await open()).rows.length > 0) throw new Error('not yet');
    }, 60).catch(() => undefined);
    this.blame(
      'a saga has not ended',
      (await open()).rows.map(({ stream }) => stream),
    );
  }

  private async everyCommandOnce(acknowledged: readonly Acknowledged[]): Promise<void> {
    const { rows } = await this.client.query<{ correlation: string; type: string; times: number }>(
      `select metadata->>'correlationId' as correlation, type, count(*)::int as times from es.event
        where type = any($1) group by 1, 2`,
      [Object.values(FACTS).flat()],
    );
    const times = new Map(rows.map((row) => [`${row.correlation} ${row.type}`, row.times]));
    const of = (key: string, type: string) => times.get(`${key} ${type}`) ?? 0;
    const checked = acknowledged.flatMap(({ key, kind }) =>
      kind === 'vm' ? [] : FACTS[kind].map((type) => ({ key, type, times: of(key, type) })),
    );
    const inWords = ({ key, type }: { key: string; type: string }) => `${type} of ${key}`;
    this.blame('an acknowledged command is lost', checked.filter((one) => one.times === 0).map(inWords));
    this.blame('a command was carried out twice', checked.filter((one) => one.times > 1).map(inWords));
    this.counts['commands acknowledged'] = acknowledged.length;
  }

  /** Also of commands that nobody was told about: no outcome, input, timer or command has its events twice. */
  private async everyFactOnce(): Promise<void> {
    const { rows: sagas } = await this.client.query<LoggedEvent>(
      `select position, stream, type, data from es.event where stream in
        (select stream from es.event where type = 'SagaInputReceived') order by position`,
    );
    const byStream = new Map<string, LoggedEvent[]>();
    for (const event of sagas) byStream.set(event.stream, [...(byStream.get(event.stream) ?? []), event]);
    const doubled = [...byStream].flatMap(([stream, events]) => doubledFacts(events).map((one) => `${stream}: ${one}`));
    this.blame('a fact is in a saga twice', doubled);
    const { rows: again } = await this.client.query<{ stream: string; type: string }>(
      `select stream, type from es.event where metadata ? 'commandId'
        group by stream, type, metadata->>'commandId', data having count(*) > 1`,
    );
    this.blame(
      'a command has its events twice',
      again.map(({ stream, type }) => `${stream}: ${type}`),
    );
    this.counts['sagas'] = byStream.size;
    this.counts['timers fired'] = sagas.filter(({ type }) => type === 'TimerFired').length;
  }

  /** The rows as two instances made them, and as one runner makes them of the same log from nothing. */
  private async rowsAreTheLog(): Promise<void> {
    const fresh = await freshDatabase();
    const original = new Database(this.world.instances[0].databaseUrl);
    const store = new PostgresEventStore(original, silentLog);
    const runner = new ProjectionRunner(fresh.database, store, projections, silentLog);
    try {
      await store.start();
      await runner.start();
      await runner.caughtUp();
      for (const { name, table } of projections) {
        const sql = `select to_jsonb(t)::text as row from "${name}" t order by t."${table.key}"::text collate "C"`;
        const texts = async (database: Database) => (await database.query<{ row: string }>(sql)).map(({ row }) => row);
        const [made, again] = [await texts(original), await texts(fresh.database)];
        const differing = again.filter((row, index) => row !== made[index]);
        if (made.length !== again.length) differing.push(`${made.length} rows instead of ${again.length}`);
        this.blame(`the rows of ${name} differ from the log`, differing);
        this.counts[`rows of ${name}`] = made.length;
      }
      const [events] = await original.query<{ times: number }>('select count(*)::int as times from es.event');
      this.counts['events'] = events?.times ?? 0;
      if (this.counts['rows of audit'] !== events?.times)
        this.blame('the audit has not every event', ['count differs']);
      const again = await original.query<{ row_id: string }>('select row_id from applied_again');
      this.blame(
        'an event was applied twice',
        again.map(({ row_id: id }) => id),
      );
    } finally {
      await runner.stop();
      await store.close();
      await original.close();
      await fresh.drop();
    }
  }

  /** Nothing may begin in the world for a step whose outcome is in the log, and no agent may be told twice. */
  private async everyEffectOnce(): Promise<void> {
    const { rows } = await this.client.query<{ stream: string; step: string; at: Date }>(
      `select stream, data->>'step' as step, recorded_at as at from es.event
        where type in ('EffectSucceeded', 'EffectFailed', 'EffectCancelled')`,
    );
    const outcomes = new Map(rows.map(({ stream, step, at }) => [`${stream} ${step}`, at.getTime()]));
    const { starts } = this.world.programs;
    const late = starts.filter(({ stream, step, atMs }) => atMs > (outcomes.get(`${stream} ${step}`) ?? Infinity) + 1);
    this.blame(
      'a step was done again after its outcome',
      late.map(({ stream, step }) => `${stream} ${step}`),
    );
    const { orders } = this.world.agent;
    const accepted = orders.filter((order) => order.accepted).map(({ jobId }) => jobId);
    this.blame(
      'an agent was told to copy twice',
      accepted.filter((jobId, index) => accepted.indexOf(jobId) !== index),
    );
    this.blame(
      'an agent was told to copy after it had been',
      orders
        .filter(({ jobId, atMs }) => atMs > (outcomes.get(`takebackup-${jobId} agent`) ?? Infinity) + 1)
        .map(({ jobId }) => jobId),
    );
    this.counts['effects'] = rows.length;
    this.counts['programs started'] = starts.length;
    this.counts['orders to the agent'] = orders.length;
    const begun = starts.map(({ stream, step }) => `${stream} ${step}`);
    this.counts['begun again after a kill in the midst'] = begun.length - new Set(begun).size;
  }

  private async everyImageTrue(): Promise<void> {
    const { rows } = await this.client.query<{ vm_name: string; image: string }>(
      `select vm_name, disks->0->>'image' as image from backup where status = 'completed'`,
    );
    const wrong = rows.filter(({ vm_name: name, image }) => {
      const source = this.world.lab.vms.find((vm) => vm.name === name)?.disks[0]?.file ?? '';
      const file = join(this.world.vm.repositoryPath, image);
      return spawnSync('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', source, file]).status !== 0;
    });
    this.blame(
      'a restore point is not what the guest holds',
      wrong.map(({ image }) => image),
    );
    this.counts['restore points'] = rows.length;
    const files = filesOfBackups(this.world.vm.repositoryPath).length;
    if (files !== rows.length * FILES_PER_POINT) this.blame('files are left in the repository', [String(files)]);
  }

  private async nothingLeft(): Promise<void> {
    const folders = this.world.instances.map(({ dataDir }) => join(dataDir, 'run'));
    this.blame('something is left behind', folders.flatMap(leftBehind));
    const { rows: leases } = await this.client.query<{ resource: string }>('select resource from effect_lease');
    this.blame(
      'a lease is left',
      leases.map(({ resource }) => resource),
    );
    const { rows: ports } = await this.client.query<{ export_id: string }>(
      'select export_id from nbd_export where port is not null',
    );
    this.blame(
      'a port is left',
      ports.map(({ export_id: id }) => id),
    );
  }

  private blame(what: string, whom: readonly string[]): void {
    if (whom.length > 0) this.wrong.push(`${what} (${whom.length}): ${whom.slice(0, 5).join('; ')}`);
  }
}
