import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataSource, ViewColumn, ViewEntity } from 'typeorm';

import { PreparingClient } from '#platform/database/preparing-client';
import { openReadModels } from '#platform/database/read-models';
import { Filter, type PageStatement, Views } from '#platform/database/views';

import { freshDatabase } from '../kit/database.js';
import { eventually } from '../kit/eventually.js';

@ViewEntity({ name: 'thing', synchronize: false })
class ThingRow {
  @ViewColumn({ name: 'thing_id' })
  readonly thingId: string;

  @ViewColumn()
  readonly label: string;

  @ViewColumn({ name: 'size_bytes' })
  readonly sizeBytes: number;
}

const LABELS = ['red', 'green'] as const;
const HOSTILE = [`' or '1'='1`, `red' --`, `'; drop view thing; --`, '$1', '\\', 'Red', '', '%', 'r\u00ebd'];

describe('reading views by statements', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let source: DataSource;
  let views: Views;

  beforeEach(async () => {
    fresh = await freshDatabase();
    await fresh.database.query(`create table thing_1 (thing_id text primary key, label text, size_bytes bigint)`);
    await fresh.database.query(
      `insert into thing_1 select 'thing-' || n, case when n % 2 = 0 then 'red' else 'green' end, n * 1000 from generate_series(1, 9) n`,
    );
    await fresh.database.query(`create view thing as select * from thing_1`);
    source = await openReadModels(fresh.database, [ThingRow]);
    views = new Views(source);
  });

  afterEach(async () => {
    await source.destroy();
    await fresh.drop();
  });

  const page = (filter: Filter, more: Partial<PageStatement> = {}): PageStatement => ({
    columns: views.columns(ThingRow),
    view: 'thing',
    filter,
    order: ['one.thing_id'],
    after: null,
    limit: 3,
    ...more,
  });
  const byLabel = (label: string) => new Filter().oneOf(label, LABELS, (place) => `one.label = ${place}`);
  const idsOf = (rows: readonly ThingRow[]) => rows.map(({ thingId }) => thingId);
  const cutConnections = () =>
    fresh.database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and application_name = 'oma read models'`,
    );

  it('gives rows with the names and the kinds of their entity', async () => {
    const [row] = await views.page<ThingRow>(page(new Filter()));
    expect(row).toEqual({ thingId: 'thing-1', label: 'green', sizeBytes: 1000 });
    expect(views.columns(ThingRow, { of: 't', without: ['label'] })).toBe(
      't."thing_id" as "thingId", t."size_bytes" as "sizeBytes"',
    );
  });

  it.each(HOSTILE)('finds nothing for %j, and nothing happens', async (hostile) => {
    expect(await views.page(page(byLabel(hostile)))).toEqual([]);
    expect(await views.page(page(new Filter(), { after: [hostile], order: ['one.label'] }))).toEqual(
      await views.select(`select ${views.columns(ThingRow)} from thing one where label > $1 order by label limit 4`, [
        hostile,
      ]),
    );
    expect((await views.countedPage(page(byLabel('red')))).total).toBe(4);
  });

  it('counts all pages, whichever is read, and also where nothing is left', async () => {
    const all = page(byLabel('green'));
    const { found, total } = await views.countedPage<ThingRow>(all);
    expect([idsOf(found), total]).toEqual([['thing-1', 'thing-3', 'thing-5', 'thing-7'], 5]);
    const second = await views.countedPage<ThingRow>(page(byLabel('green'), { after: ['thing-5'] }));
    expect([idsOf(second.found), second.total]).toEqual([['thing-7', 'thing-9'], 5]);
    const beyond = await views.countedPage<ThingRow>(page(byLabel('green'), { after: ['thing-9'] }));
    expect([beyond.found, beyond.total]).toEqual([[], 5]);
    expect(await views.countedPage<ThingRow>(page(byLabel('blue')))).toEqual({ found: [], total: 0 });
  });

  it('answers from what the view shows now, though the statement is kept', async () => {
    const read = async () => (await views.page<ThingRow>(page(byLabel('red'), { limit: 100 }))).length;
    for (let often = 0; often < 8; often += 1) expect(await read()).toBe(4);
    await fresh.database.query(`create table thing_2 as select * from thing_1 where thing_id = 'thing-2'`);
    await fresh.database.query(`create or replace view thing as select * from thing_2`);
    for (let often = 0; often < 8; often += 1) expect(await read()).toBe(1);
  });

  it('goes on with kept statements after all connections were cut', async () => {
    const read = async () => idsOf(await views.page<ThingRow>(page(byLabel('red'))));
    const before = await read();
    await source.query('select 1 from thing where label = $1', ['red']);
    await cutConnections();
    await eventually(async () => {
      expect(await read()).toEqual(before);
      expect(await source.query('select 1 from thing where label = $1', ['red'])).toHaveLength(4);
    });
  });

  it('plans a statement once per connection, and again in a new one', async () => {
    const client = new PreparingClient({ connectionString: fresh.url });
    await client.connect();
    const count = async () => (await client.query('select from thing where label = $1', ['red'])).rowCount;
    const kept = async () => (await client.query('select from pg_prepared_statements')).rowCount;
    for (let often = 0; often < 3; often += 1) expect(await count()).toBe(4);
    expect(await kept()).toBe(1);
    await client.end();
    const other = new PreparingClient({ connectionString: fresh.url });
    await other.connect();
    expect((await other.query('select from thing where label = $1', ['green'])).rowCount).toBe(5);
    await other.end();
  });

  it('keeps so many statements per connection and no more, and answers the others all the same', async () => {
    const client = new PreparingClient({ connectionString: fresh.url });
    await client.connect();
    for (let number = 0; number < 230; number += 1) {
      const { rows } = await client.query<{ it: number }>(`select ${number} + $1::int as it`, [1]);
      expect(rows).toEqual([{ it: number + 1 }]);
    }
    expect((await client.query('select from pg_prepared_statements')).rowCount).toBe(200);
    await client.end();
  });
});
