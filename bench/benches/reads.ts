import { setTimeout as pause } from 'node:timers/promises';

import pg from 'pg';

import { newId } from '#platform/ids/ids';

import type { Bench, BenchContext } from '../harness/bench.js';
import { freePort, serve } from '../harness/nbd-server.js';
import { interleaved } from '../harness/pairs.js';
import { READ_ROUTES, type ReadRoute, type Sample } from '../harness/read-routes.js';
import type { Reader } from '../harness/reader.js';
import { type BenchCase, delay, type Pair } from '../harness/result.js';
import { SeededWorld } from '../harness/seeded-world.js';
import { median, percentile } from '../harness/statistics.js';

const BASELINE =
  'the same SQL (bench/harness/read-routes.ts) by hand: node:http and one warm connection of pg in a process of their own, the session and the rows by one prepared statement each, JSON.stringify of the rows';
/** So many different ids are asked for by each side of a pair; a list of everything is asked for as often as this time allows. */
const SAMPLES = 20;
const SIDE_MS = 150;
const AT_LEAST = 3;
const MS_PER_MINUTE = 60_000;

const VISIBLE: BenchCase = {
  name: 'p95 from the request that creates a credential to its row in the view',
  baseline: 'insert of one event and one row in a transaction of their own, then a select of it on another connection',
  unit: 'ms',
  compared: ({ ours }) => ours,
  comparedIs: 'ours (ms)',
  goal: { is: 'at most', value: 50 },
};
const COMMANDS = 20;
const LOOK_EVERY_MS = 1;

const CASES = READ_ROUTES.map((route) => ({
  route,
  bench: { ...delay, name: route.name, baseline: BASELINE, goal: { is: 'at most', value: 2 } } satisfies BenchCase,
}));

/** Lists and details of a large OMA against the same SQL by hand, and how soon a command shows. */
export const reads: Bench = {
  name: 'reads',
  about: 'lists and details at 10,000 VMs and 1 million events',
  cases: [...CASES.map(({ bench }) => bench), VISIBLE],
  async run(context) {
    const world = await SeededWorld.enter(context);
    const { url } = world.database;
    const connection = new pg.Client({ connectionString: url });
    await connection.connect();
    context.leftovers.add(() => connection.end());
    const hand = await startByHand(context, world);
    const sides = { world, hand, connection, samples: await samplesOf(world) };
    // The rows that are read were made a moment ago, all of them.
    await world.settle();
    const results = new Map<string, readonly Pair[]>();
    for (const { route, bench } of CASES) results.set(bench.name, await readPairs(context, sides, route));
    results.set(VISIBLE.name, await visiblePairs(context, sides));
    return results;
  },
};

interface Sides {
  readonly world: SeededWorld;
  /** Asks the program that was written by hand. */
  readonly hand: Reader;
  readonly connection: pg.Client;
  readonly samples: readonly Sample[];
}

async function readPairs(context: BenchContext, sides: Sides, route: ReadRoute): Promise<readonly Pair[]> {
  const measured = await interleaved(context, {
    ours: () => medianMs(sides.samples, (sample) => sides.world.reader.get(route.path(sample))),
    theirs: () => medianMs(sides.samples, (sample) => byHand(sides, route, sample)),
    compare: () => compare(sides, route),
    describe: ({ ours, theirs }) => `${route.name}: ${ours.toFixed(2)} ms against ${theirs.toFixed(2)} ms`,
  });
  return measured.map(({ ours, theirs }) => ({ ours, baseline: theirs }));
}

async function medianMs(samples: readonly Sample[], ask: (sample: Sample) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  const until = performance.now() + SIDE_MS;
  while (times.length < AT_LEAST || performance.now() < until) {
    const sample = samples[times.length % samples.length];
    if (sample === undefined) throw new Error('there is nothing to ask for');
    const began = performance.now();
    await ask(sample);
    times.push(performance.now() - began);
  }
  return median(times);
}

function byHand({ hand }: Sides, route: ReadRoute, sample: Sample): Promise<readonly Record<string, unknown>[]> {
  const values = encodeURIComponent(JSON.stringify(route.values(sample)));
  return hand.get(`/${READ_ROUTES.indexOf(route)}?${values}`);
}

async function startByHand({ leftovers }: BenchContext, { database, reader }: SeededWorld): Promise<Reader> {
  const port = await freePort();
  const hand = reader.at(`http://127.0.0.1:${port}`);
  const answers = () =>
    hand.get('/0').then(
      () => true,
      () => false,
    );
  const environment = { DATABASE_URL: database.url, PORT: String(port) };
  await serve(process.execPath, ['dist/bench/hand-server.main.js'], answers, leftovers, environment);
  leftovers.add(() => hand.close());
  return hand;
}

/** A list is the same when both have the same rows in the same order; the statement may look one row further. */
async function compare(sides: Sides, route: ReadRoute): Promise<void> {
  const { list, key } = route;
  const [sample] = sides.samples;
  if (sample === undefined || list === undefined || key === undefined) return;
  const answer = await sides.world.reader.get<Record<string, readonly Record<string, unknown>[]>>(route.path(sample));
  const ours = (answer[list] ?? []).map((row) => row[key]);
  const all = (await byHand(sides, route, sample)).map((row) => row[key]);
  const theirs = all.slice(0, ours.length);
  const same = ours.every((id, index) => id === theirs[index]);
  if (!same || (ours.length === 0 && all.length > 0)) {
    throw new Error(`${route.name}: ${JSON.stringify(ours.slice(0, 3))} and ${JSON.stringify(theirs.slice(0, 3))} …`);
  }
}

/** Ids of backups that lie far from each other, with what belongs to them. */
async function samplesOf({ database }: SeededWorld): Promise<readonly Sample[]> {
  const rows = await database.query<Sample & { recorded: Date }>(
    `select b.vm_context_id context_id, b.vm_name, b.repository_id, b.backup_id, b.backup_id job_id,
            j.actor_id, j.correlation_id, 'takebackup-' || b.backup_id stream, b.created_at recorded
       from (select * from backup order by md5(backup_id) limit $1) b join job j on j.job_id = b.backup_id`,
    [SAMPLES],
  );
  return rows.map(({ recorded, ...sample }) => ({
    ...sample,
    recorded_at: recorded.toISOString(),
    recorded_until: new Date(recorded.getTime() + MS_PER_MINUTE).toISOString(),
  }));
}

/** How long it takes until what a command did is in the view, whatever the command still waits for. */
async function visiblePairs(context: BenchContext, { world, connection }: Sides): Promise<readonly Pair[]> {
  const measured = await interleaved(context, {
    ours: () => p95Ms((name) => createCredential(world, connection, name)),
    theirs: () => p95Ms((name) => insertByHand(world, connection, name)),
    compare: () => Promise.resolve(),
    describe: ({ ours, theirs }) => `visible: ${ours.toFixed(1)} ms against ${theirs.toFixed(1)} ms`,
  });
  return measured.map(({ ours, theirs }) => ({ ours, baseline: theirs }));
}

async function p95Ms(make: (name: string) => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < COMMANDS; count++) {
    const name = newId();
    const began = performance.now();
    await make(name);
    times.push(performance.now() - began);
  }
  return percentile(times, 0.95);
}

async function createCredential(world: SeededWorld, connection: pg.Client, name: string): Promise<void> {
  const created = world.api.post('/vmware-credentials', {
    credential_name: name,
    vcenter_host: 'vcenter.bench',
    username: 'bench',
    password: name,
    datacenter: 'bench',
  });
  const look = { name: 'visible', text: 'select from credential where name_key = $1', values: [name] };
  while ((await connection.query(look)).rowCount === 0) await pause(LOOK_EVERY_MS);
  // The request itself ends outside of the time: it waits for more than the row.
  await created;
}

async function insertByHand({ database }: SeededWorld, connection: pg.Client, name: string): Promise<void> {
  await database.query('create table if not exists by_hand (name text primary key, facts jsonb)');
  await database.query('insert into by_hand values ($1, $2)', [name, JSON.stringify({ name })]);
  await connection.query({ name: 'inserted', text: 'select from by_hand where name = $1', values: [name] });
}
