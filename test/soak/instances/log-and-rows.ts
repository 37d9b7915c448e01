import { setTimeout as pause } from 'node:timers/promises';

import { projections, sagas } from '../../../src/catalogue.js';
import type { Position } from '#domain/kernel/event';
import { Database } from '#platform/database/database';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { ProjectionRunner } from '#platform/projections/projection-runner';

import { freshDatabase } from '../../kit/database.js';
import { eventually } from '../../kit/eventually.js';
import { silentLog } from '../../kit/silent-log.js';
import type { Findings } from './findings.js';
import { TakenEvents } from './taken-events.js';

/** Longer than anything of OMA waits before it looks again. */
const RESTS_FOR_MS = 3000;
const RESTS_WITHIN_SECONDS = 60;

/** The log of two instances and the rows that they made of it, seen by a third. */
export class LogAndRows {
  private constructor(
    private readonly database: Database,
    private readonly store: PostgresEventStore,
  ) {}

  static async open(databaseUrl: string): Promise<LogAndRows> {
    const database = new Database(databaseUrl);
    const store = new PostgresEventStore(database, silentLog);
    await store.start();
    return new LogAndRows(database, store);
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.database.close();
  }

  /** Waits until nobody writes any more and the rows have passed the last event: before that any comparison is of two moments. */
  async rest(): Promise<void> {
    await eventually(async () => {
      const head = await this.store.head();
      await pause(RESTS_FOR_MS);
      if ((await this.store.head()) !== head) throw new Error('the log does not come to rest');
      await this.rowsHavePassed(head);
    }, RESTS_WITHIN_SECONDS);
  }

  private async rowsHavePassed(head: Position): Promise<void> {
    const behind = await this.database.query<{ name: string; position: Position }>(
      'select name, position from projection where live and position < $1',
      [head],
    );
    if (behind.length > 0) throw new Error(`rows are behind ${head}: ${JSON.stringify(behind)}`);
  }

  /** Every event that starts a saga has started it, and none that concerns an open one was passed by. */
  async everyEventTaken(findings: Findings): Promise<void> {
    const taken = new TakenEvents();
    for await (const event of this.store.readAll()) {
      taken.see(event);
      for (const saga of sagas.filter(({ listensTo }) => listensTo.includes(event.type))) {
        const concern = saga.correlate(event);
        if (concern !== null) taken.want(event, `${saga.name}-${concern.id}`, concern.starts);
      }
    }
    findings.blame('a saga has not begun', taken.notBegun());
    findings.blame('an event was not taken before a later one', taken.passedBy());
    findings.count('events for sagas', taken.wanted);
  }

  /** The rows as two instances made them, and as one runner makes them of the same log from nothing. */
  async agree(findings: Findings): Promise<void> {
    const fresh = await freshDatabase();
    const runner = new ProjectionRunner(fresh.database, this.store, projections, silentLog);
    try {
      await runner.start();
      await runner.caughtUp();
      for (const { name, table } of projections) {
        const sql = `select to_jsonb(t)::text as row from "${name}" t order by t."${table.key}"::text collate "C"`;
        const texts = async (database: Database) => (await database.query<{ row: string }>(sql)).map(({ row }) => row);
        const [made, again] = [await texts(this.database), await texts(fresh.database)];
        findings.blame(`the rows of ${name} differ from the log`, differences(made, again));
        findings.count(`rows of ${name}`, made.length);
      }
    } finally {
      await runner.stop();
      await fresh.drop();
    }
    const [events] = await this.database.query<{ times: number }>('select count(*)::int as times from es.event');
    findings.count('events', events?.times ?? 0);
    if (findings.counts['rows of audit'] !== events?.times) findings.blame('the audit has not every event', ['counts']);
    const again = await this.database.query<{ row_id: string }>('select row_id from applied_again');
    findings.blame(
      'an event was applied twice',
      again.map(({ row_id: id }) => id),
    );
  }
}

function differences(made: readonly string[], again: readonly string[]): readonly string[] {
  const [known, wanted] = [new Set(made), new Set(again)];
  return [
    ...again.filter((row) => !known.has(row)).map((row) => `missing ${row}`),
    ...made.filter((row) => !wanted.has(row)).map((row) => `made ${row}`),
  ];
}
