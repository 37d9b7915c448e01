import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import pg from 'pg';

import { eventually } from '../../kit/eventually.js';
import { filesOfBackups, leftBehind } from '../../kit/left-behind.js';
import { doubledFacts, type LoggedEvent } from '../../kit/log-watch.js';
import { Findings } from './findings.js';
import { LogAndRows } from './log-and-rows.js';
import { everyStepOnce } from './steps-once.js';
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

/** What must hold when everything has come to rest, looked at from outside: the log, the rows, the world. */
export class Truths {
  private readonly findings = new Findings();

  private constructor(
    private readonly world: TwoInstances,
    private readonly client: pg.Client,
    private readonly log: LogAndRows,
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
    return new Truths(world, client, await LogAndRows.open(world.instances[0].databaseUrl));
  }

  async close(): Promise<void> {
    await this.log.close();
    await this.client.end();
  }

  blame(what: string, whom: readonly string[]): void {
    this.findings.blame(what, whom);
  }

  async look(acknowledged: readonly Acknowledged[]): Promise<Findings> {
    await this.everySagaEnded();
    await this.log.rest().catch((error: unknown) => {
      this.blame('rows and log do not come to rest', [String(error)]);
    });
    await this.log.everyEventTaken(this.findings);
    await this.everyCommandOnce(acknowledged);
    await this.everyFactOnce();
    await this.log.agree(this.findings);
    await everyStepOnce(this.world, this.client, this.findings);
    await this.everyImageTrue();
    await this.nothingLeft();
    return this.findings;
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
    this.findings.count('commands acknowledged', acknowledged.length);
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
    this.findings.count('sagas', byStream.size);
    this.findings.count('timers fired', sagas.filter(({ type }) => type === 'TimerFired').length);
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
    this.findings.count('restore points', rows.length);
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
}
