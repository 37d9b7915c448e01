import { readFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { Database } from '#platform/database/database';
import { migrate } from '#platform/database/migrate';
import { migrations } from '#platform/database/migrations';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { ProjectionRunner } from '#platform/projections/projection-runner';
import { Build } from '#platform/projections/build';
import { register } from '#platform/projections/registration';
import { type AnyProjection, pointView } from '#platform/projections/tables';
import { offerReporting } from '#platform/reporting/reporting';
import { REPORTING_LOCK } from '#platform/reporting/reporting-lock';

import { projections } from '../../src/catalogue.js';
import { reportingViews } from '../../src/reporting.js';
import { freshDatabase } from '../kit/database.js';
import { eventually } from '../kit/eventually.js';
import { heardLog } from '../kit/heard-log.js';
import { silentLog } from '../kit/silent-log.js';

const NAMES = ['audit_v1', 'backups_v1', 'jobs_v1', 'repositories_v1', 'restore_points_v1', 'vms_v1'];

describe('the views for reports', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let runner: ProjectionRunner;
  let store: PostgresEventStore;

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new PostgresEventStore(fresh.database, silentLog);
    await store.start();
    runner = new ProjectionRunner(fresh.database, store, projections, silentLog);
    await runner.start();
    await offerReporting(fresh.database, reportingViews, silentLog);
  });

  afterEach(async () => {
    await runner.stop();
    await store.close();
    await fresh.drop();
  });

  const asReader = async <Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> => {
    const client = new pg.Client({ connectionString: fresh.url });
    await client.connect();
    try {
      await client.query('set session authorization oma_reporting');
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const refused = async (sql: string) => {
    await expect(asReader(sql)).rejects.toMatchObject({ code: '42501' });
  };

  it('are there, each with a comment, and with one for each of its columns', async () => {
    const rows = await fresh.database.query<{ name: string; about: string | null; silent: string[] }>(
      `select c.relname as name, obj_description(c.oid) as about,
              array(select attname::text from pg_attribute a where a.attrelid = c.oid and attnum > 0
                      and col_description(c.oid, attnum) is null) as silent
         from pg_class c where relnamespace = 'reporting'::regnamespace order by relname`,
    );
    expect(rows.map(({ name }) => name)).toEqual(NAMES);
    for (const { about, silent } of rows) {
      expect(about).toMatch(/\S{2}/);
      expect(silent).toEqual([]);
    }
  });

  it('are the ones that docs/reporting.md lists', () => {
    const listed = [...readFileSync('docs/reporting.md', 'utf8').matchAll(/^\| `(\w+_v\d)`/gm)].map(([, name]) => name);
    expect(listed.sort()).toEqual(NAMES);
  });

  it('can be read by the role for reports', async () => {
    for (const name of NAMES) expect(await asReader(`select * from reporting.${name}`)).toEqual([]);
  });

  it('are all that the role can read', async () => {
    const tables = await fresh.database.query<{ name: string }>(
      `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'v', 'S') and n.nspname not in ('reporting', 'pg_catalog', 'information_schema', 'pg_toast')`,
    );
    const names = tables.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['es.event', 'public.password', 'public.session', 'public.secret', 'public.audit']),
    );
    for (const name of names) await refused(`select * from ${name}`);
  });

  it('can be changed by nobody who may only read them', async () => {
    await refused(`delete from reporting.repositories_v1`);
    await refused(`insert into reporting.repositories_v1 (name) values ('forged')`);
    await refused(`update reporting.repositories_v1 set name = 'forged'`);
    await refused(`create table reporting.own (id integer)`);
    await refused(`create table public.own (id integer)`);
    await refused(`select public.remake_reporting()`);
    await refused(`select * from es.append('{}', '{}', '{}', '{}', '{}', '{}', '{}')`);
  });

  it('leave their readers nothing else to write to, and no lock that OMA waits for', async () => {
    await refused(`create temporary table own as select 1`);
    await refused(`select lo_create(0)`);
    await refused(`select lo_from_bytea(0, 'x')`);
    await refused(`select pg_logical_emit_message(false, 'x', 'x')`);
    await refused(`select pg_advisory_lock(hashtext('oma migrations'))`);
    await refused(`select pg_try_advisory_xact_lock_shared(1, 2)`);
  });

  it('show no column of a secret', async () => {
    const columns = await fresh.database.query<{ name: string }>(
      `select column_name as name from information_schema.columns where table_schema = 'reporting'`,
    );
    expect(columns.filter(({ name }) => /secret|token|password|key_|hash|fingerprint|^data$/.test(name))).toEqual([]);
  });

  /** What a start of a program with another version of a projection does, or a rebuild at its end. */
  const turnTo = async (projection: AnyProjection) => {
    await register(fresh.database, projection);
    const parts = { database: fresh.database, store, logger: silentLog };
    await new Build(parts, projection).run(AbortSignal.timeout(20_000));
  };
  const nextVersionOf = (name: string, change: (columns: Record<string, string>) => void): AnyProjection => {
    const known = projections.find((projection) => projection.name === name);
    if (known === undefined) throw new Error(`there is no projection ${name}`);
    const columns: Record<string, string> = { ...known.table.columns };
    change(columns);
    return { ...known, version: known.version + 1, table: { ...known.table, columns } } as AnyProjection;
  };

  it('stay when a projection gets another version with more columns', async () => {
    await turnTo(nextVersionOf('job', (columns) => (columns['priority'] = 'integer')));
    expect(await asReader('select * from reporting.jobs_v1')).toEqual([]);
  });

  it('stay for their readers when a version has other columns, and no reader finds them missing meanwhile', async () => {
    const reader = new pg.Client({ connectionString: fresh.url });
    await reader.connect();
    await reader.query('set session authorization oma_reporting');
    let reads = 0;
    const turned = new AbortController();
    const reading = (async () => {
      while (!turned.signal.aborted) {
        await reader.query('select count(*) from reporting.jobs_v1');
        reads += 1;
      }
    })();
    const other = nextVersionOf('job', (columns) => {
      delete columns['leftovers'];
      columns['error_step'] = 'text';
    });
    await turnTo(other);
    const before = reads;
    while (reads < before + 5) await new Promise((resolve) => setImmediate(resolve));
    turned.abort();
    await reading;
    await reader.end();
    const [view] = await fresh.database.query<{ about: string }>(
      `select obj_description('reporting.jobs_v1'::regclass) as about`,
    );
    expect(view?.about).toContain('One row per job');
  });

  it('wait with a definition that the rows there are do not fit, and follow once they do', async () => {
    const [jobs] = reportingViews.filter(({ name }) => name === 'jobs_v1');
    if (jobs === undefined) throw new Error('there is no view of jobs');
    const column = { name: 'priority', sql: 'j.priority', about: 'How urgent it is' };
    await offerReporting(fresh.database, [{ ...jobs, columns: [...jobs.columns, column] }], silentLog);
    expect(await asReader('select * from reporting.jobs_v1')).toEqual([]);
    await expect(asReader('select priority from reporting.jobs_v1')).rejects.toMatchObject({ code: '42703' });
    await turnTo(nextVersionOf('job', (columns) => (columns['priority'] = 'integer')));
    expect(await asReader('select priority from reporting.jobs_v1')).toEqual([]);
  });

  it('do not wait in silence for a report that is being read, nor keep others waiting meanwhile', async () => {
    const [jobs] = reportingViews.filter(({ name }) => name === 'jobs_v1');
    if (jobs === undefined) throw new Error('there is no view of jobs');
    const report = new pg.Client({ connectionString: fresh.url, application_name: 'a long report' });
    await report.connect();
    await report.query('begin; select from reporting.jobs_v1');
    const { logger, heard } = heardLog();
    const offering = offerReporting(fresh.database, [{ ...jobs, about: 'Something else' }], logger);
    try {
      await eventually(() => {
        expect(heard).toContainEqual(
          expect.objectContaining({
            line: 'making the views for reports waits for a lock that other connections to the database hold',
            blockers: [expect.objectContaining({ program: 'a long report' })],
          }),
        );
        expect(heard).toContainEqual(
          expect.objectContaining({
            line: 'the views for reports are being read and could not be made; it is tried again',
          }),
        );
      });
      // Between two tries nobody stands behind it.
      expect(await asReader('select * from reporting.jobs_v1')).toEqual([]);
    } finally {
      await report.end();
    }
    await offering;
    const [view] = await fresh.database.query<{ about: string }>(
      `select obj_description('reporting.jobs_v1'::regclass) as about`,
    );
    expect(view?.about).toBe('Something else');
  });

  it('being made keep no swap waiting that keeps readers waiting in its turn', async () => {
    const other = new pg.Client({ connectionString: fresh.url });
    await other.connect();
    await other.query('begin');
    await other.query(REPORTING_LOCK);
    const turning = fresh.database.transaction((sql) => pointView(sql, 'job', 'rm_job_v3'));
    try {
      await eventually(async () => {
        const waiting = await fresh.database.query(
          `select from pg_locks where locktype = 'advisory' and not granted
              and database = (select oid from pg_database where datname = current_database())`,
        );
        expect(waiting).toHaveLength(1);
      });
      // It has no view yet: who holds the lock may read any, as whoever makes the views for reports does.
      await other.query(`set local lock_timeout = '1s'; select from job`);
    } finally {
      await other.end();
    }
    await turning;
  });

  it('can be offered by several instances at once', async () => {
    await Promise.all([1, 2, 3].map(() => offerReporting(fresh.database, reportingViews, silentLog)));
    for (const name of NAMES) expect(await asReader(`select * from reporting.${name}`)).toEqual([]);
  });

  it('are there although OMA may make no roles, and open to the role once somebody made it', async () => {
    const [poor, role] = [`oma_poor_${process.pid}`, `oma_reporting_${process.pid}`];
    const other = await freshDatabase({ migrated: false });
    const name = new URL(other.url).pathname.slice(1);
    await other.database.query(`create role ${poor} login password 'poor'`);
    await other.database.query(`alter database ${name} owner to ${poor}`);
    const url = new URL(other.url);
    [url.username, url.password] = [poor, 'poor'];
    const own = new Database(url.href);
    const ownStore = new PostgresEventStore(own, silentLog);
    const ownRunner = new ProjectionRunner(own, ownStore, projections, silentLog);
    try {
      // The role is of the whole server, and here another database has it already.
      await migrate(
        own,
        migrations.map((step) => ({ ...step, sql: step.sql.replaceAll('oma_reporting', role) })),
        silentLog,
      );
      await ownRunner.start();
      const { logger, heard } = heardLog();
      await offerReporting(own, reportingViews, logger);
      expect(heard).toEqual([
        { line: expect.stringContaining('run "create role oma_reporting nologin" and starts OMA again') },
      ]);
      expect(await own.query('select * from reporting.jobs_v1')).toEqual([]);
      expect(await own.query(`select from pg_roles where rolname = '${role}'`)).toEqual([]);
      await other.database.query(`create role ${role} nologin`);
      heard.length = 0;
      await offerReporting(own, reportingViews, logger);
      expect(heard).toEqual([]);
      const [may] = await own.query<{ may: boolean }>(
        `select has_table_privilege('${role}', 'reporting.jobs_v1', 'select') as may`,
      );
      expect(may?.may).toBe(true);
      const [temporary] = await own.query<{ may: boolean }>(
        `select has_database_privilege('${role}', current_database(), 'temporary') as may`,
      );
      expect(temporary?.may).toBe(false);
      const [, advice] = /^```\n(do [\s\S]*?)^```/m.exec(readFileSync('docs/reporting.md', 'utf8')) ?? [];
      await other.database.query((advice ?? '').replace('to oma', `to ${poor}`));
      const [locks] = await own.query<{ reader: boolean; owner: boolean }>(
        `select has_function_privilege('${role}', 'pg_advisory_lock(bigint)', 'execute') as reader,
                has_function_privilege('pg_advisory_lock(bigint)', 'execute') as owner`,
      );
      expect(locks).toEqual({ reader: false, owner: true });
      await offerReporting(own, reportingViews, silentLog);
    } finally {
      await ownRunner.stop();
      await ownStore.close();
      await own.close();
      await other.drop();
      await fresh.database.query(`drop role if exists ${role}`);
      await fresh.database.query(`drop role ${poor}`);
    }
  });

  it('name events by subject', async () => {
    const id = '0195d3a0-0000-7000-8000-000000000001';
    await store.append('repository-r-1', 'no-stream', [
      {
        id,
        type: 'RepositoryCreated',
        data: {
          repositoryId: 'r-1',
          name: 'nightly',
          type: 'local',
          path: '/backups',
          enabled: true,
          isImmutable: false,
        },
        metadata: {
          actor: { kind: 'user', id: 'u-1' },
          correlationId: id,
          causationId: id,
          commandId: id,
          reason: 'a first one',
          schemaVersion: 1,
        },
      },
    ]);
    await runner.caughtUp();
    expect(await asReader('select subject_kind, subject_id, actor, reason from reporting.audit_v1')).toEqual([
      { subject_kind: 'repository', subject_id: 'r-1', actor: 'u-1', reason: 'a first one' },
    ]);
  });
});
