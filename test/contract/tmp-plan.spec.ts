import { it } from '@jest/globals';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { freshDatabase } from '../kit/database.js';
import { silentLog } from '../kit/silent-log.js';
it('plans', async () => {
  const fresh = await freshDatabase();
  const N = 1_000_000;
  await fresh.database.query(
    `insert into es.event
       select n, 'c-' || n / 20, n % 20, gen_random_uuid(), case when n % 100000 = 50000 then 'Rare' else 'T' || n % 60 end,
              jsonb_build_object('name', 'n' || n % 25000, 'by', 1, 'pad', repeat('x', 200)),
              '{"actor":{"kind":"system","id":"trial"},"correlationId":"c","causationId":"c","schemaVersion":1}', now()
         from generate_series(1, ${N}) n`);
  await fresh.database.query(`update es.head set position = ${N}`);
  await fresh.database.query('analyze es.event');
  const store = new PostgresEventStore(fresh.database, silentLog);
  await store.start();
  const time = async (what: string, options: object) => {
    const ms: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      const life = new AbortController();
      const t = performance.now();
      for await (const b of store.subscribe({ after: '', signal: life.signal, maxBatch: 2000, ...options })) { void b; life.abort(); break; }
      ms.push(Math.round(performance.now() - t));
    }
    process.stderr.write(`${what}: ${ms.join(' ')}\n`);
  };
  await time('rare', { types: ['Rare'] });
  await time('none', { types: ['None'] });
  await time('rare+3', { types: ['Rare', 'None', 'Other', 'Another'] });
  await time('common', { types: ['T1', 'T2'] });
  await time('prefix', { streamPrefixes: ['zzz-'] });
  const rows = await fresh.database.query<{ generic_plans: string; custom_plans: string; statement: string }>(`select 1 as x, '' as statement`);
  void rows;
  const client = await fresh.database.pool.connect();
  await client.query(`prepare q (bigint, bigint, bigint, text[]) as select position, stream, revision, id, type, data, metadata, recorded_at from es.event where position > $1 and ($2::bigint is null or position < $2) and type = any($4::text[]) order by position asc limit $3`);
  await client.query('set plan_cache_mode = force_generic_plan');
  for (const [l, t] of [['generic 2000', `explain (analyze, timing off) execute q(0, 1000001, 2000, '{Rare}')`]] as const) {
    const e = await client.query(t);
    process.stderr.write(l + '\n' + e.rows.map((r) => (r as { 'QUERY PLAN': string })['QUERY PLAN']).join('\n') + '\n');
  }
  await client.query('set plan_cache_mode = force_custom_plan');
  const e = await client.query(`explain (analyze, timing off) execute q(0, 1000001, 2000, '{Rare}')`);
  process.stderr.write('custom\n' + e.rows.map((r) => (r as { 'QUERY PLAN': string })['QUERY PLAN']).join('\n') + '\n');
  client.release();
  await store.close();
  await fresh.drop();
}, 300_000);
