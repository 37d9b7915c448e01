import { isDeepStrictEqual } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';

import { projections } from '#catalogue';
import type { AnyProjection } from '#platform/projections/tables';

import type { Bench, BenchContext } from '../harness/bench.js';
import { copyAudit, HandFold } from '../harness/hand-rows.js';
import { interleaved } from '../harness/pairs.js';
import { secondsOf } from '../harness/programs.js';
import { type BenchCase, delay, type Pair, speed } from '../harness/result.js';
import { SeededWorld } from '../harness/seeded-world.js';
import { percentile } from '../harness/statistics.js';

const FOLDING = {
  ...speed,
  name: 'jobs: events folded into rows',
  baseline:
    'pages of 2,000 events whose JSON lies in memory, folded by the same function and upserted by one prepared unnest, the indexes afterwards',
  goal: { is: 'at least', value: 0.6 },
} satisfies BenchCase;
const ADDING = {
  ...speed,
  name: 'audit: a row per event',
  baseline:
    'COPY of the same columns out of es.event, piped into a COPY into the table, the key and the indexes afterwards',
  goal: { is: 'at least', value: 0.85 },
} satisfies BenchCase;
const READERS: BenchCase = {
  ...delay,
  name: 'p95 of four readers of jobs and audit while one after the other is rebuilt',
  baseline: 'the same readers before',
  goal: { is: 'at most', value: 1.5 },
};

/** Each takes most of a minute. */
const MOST_PAIRS = 3;
/** Whoever looks more often works beside the build. */
const LOOK_EVERY_MS = 100;
const READING_ALONE_MS = 4000;
const READERS_AT_ONCE = 4;
const REST_BETWEEN_READS_MS = 10;

/** Rows of a million events made anew beside those that are read. */
export const rebuild: Bench = {
  name: 'rebuild',
  about: 'projections of 1 million events of 10,000 VMs made anew; three pairs at most',
  cases: [FOLDING, ADDING, READERS],
  async run(outer) {
    const context = { ...outer, pairs: Math.min(MOST_PAIRS, outer.pairs) };
    const world = await SeededWorld.enter(context);
    const [job, audit] = [named('job'), named('audit')];
    const hand = await HandFold.prepare(world.database, job);
    return new Map([
      [FOLDING.name, await rebuildPairs(context, world, job, (table) => hand.fill(table))],
      [ADDING.name, await rebuildPairs(context, world, audit, (table) => copyAudit(world.database, audit, table))],
      [READERS.name, await readerPairs(context, world)],
    ]);
  },
};

function named(name: string): AnyProjection {
  const found = projections.find((projection) => projection.name === name);
  if (found === undefined) throw new Error(`there is no projection ${name}`);
  return found;
}

async function rebuildPairs(
  context: BenchContext,
  world: SeededWorld,
  { name }: AnyProjection,
  fill: (table: string) => Promise<unknown>,
): Promise<readonly Pair[]> {
  const table = `by_hand_${name}`;
  const measured = await interleaved(context, {
    ours: () => secondsOf(() => rebuilt(world, name)),
    theirs: () => secondsOf(() => fill(table)),
    settle: () => world.settle(),
    compare: () => compare(world, name, table),
    describe: ({ ours, theirs }) => `${name}: ${ours.toFixed(1)} s against ${theirs.toFixed(1)} s`,
  });
  return measured.map(({ ours, theirs }) => ({ ours, baseline: theirs }));
}

/** From the request to the swap. */
async function rebuilt({ api }: SeededWorld, name: string): Promise<void> {
  await api.post(`/projections/${name}/rebuild`, {});
  for (;;) {
    const { building } = await api.get<{ building: { status: string; error: string | null } | null }>(
      `/projections/${name}`,
    );
    if (building === null) return;
    if (building.error !== null) throw new Error(`the rebuild of ${name} stopped: ${building.error}`);
    await pause(LOOK_EVERY_MS);
  }
}

/** The log grows meanwhile by what was asked for: rows of later events are left out. */
async function compare({ database }: SeededWorld, view: string, table: string): Promise<void> {
  const columns = Object.keys(named(view).table.columns)
    .map((name) => `"${name}"`)
    .join(', ');
  const [row] = await database.query<{ rows: string; different: string }>(
    `select (select count(*) from ${table}) as rows,
            (select count(*) from (select ${columns} from ${table} except select ${columns} from "${view}") d) different`,
  );
  if (row?.different !== '0' || row.rows === '0') throw new Error(`rows of ${view}: ${JSON.stringify(row)}`);
}

async function readerPairs(context: BenchContext, world: SeededWorld): Promise<readonly Pair[]> {
  const expected = await expectedAnswers(world);
  const measured = await interleaved(context, {
    theirs: () => p95While(world, expected, () => pause(READING_ALONE_MS)),
    ours: () =>
      p95While(world, expected, async () => {
        await rebuilt(world, 'job');
        await rebuilt(world, 'audit');
      }),
    settle: () => world.settle(),
    compare: () => Promise.resolve(),
    describe: ({ ours, theirs }) => `readers' p95: ${ours.toFixed(1)} ms against ${theirs.toFixed(1)} ms before`,
  });
  return measured.map(({ ours, theirs }) => ({ ours, baseline: theirs }));
}

/** Answers that no rebuild changes, by their paths. */
async function expectedAnswers({ database, reader }: SeededWorld): Promise<ReadonlyMap<string, unknown>> {
  const rows = await database.query<{ job_id: string; vm_context_id: string }>(
    `select job_id, vm_context_id from job where status = 'completed' order by md5(job_id) limit 25`,
  );
  const paths = rows.flatMap(({ job_id, vm_context_id }) => [
    `/jobs/${job_id}`,
    `/jobs?vm_context_id=${vm_context_id}`,
    `/audit?stream=backup-${job_id}`,
  ]);
  const answers = new Map<string, unknown>();
  for (const path of paths) answers.set(path, await reader.get(path));
  return answers;
}

/** Reads until the work is over. Throws when an answer fails or isn't what it was. */
async function p95While(
  { reader }: SeededWorld,
  expected: ReadonlyMap<string, unknown>,
  work: () => Promise<unknown>,
): Promise<number> {
  const asked = [...expected];
  const times: number[] = [];
  let over = false;
  const read = async (from: number) => {
    for (let at = from; !over; at += READERS_AT_ONCE) {
      const [path, answer] = asked[at % asked.length] ?? [];
      const began = performance.now();
      const now = await reader.get(path ?? '');
      times.push(performance.now() - began);
      if (!isDeepStrictEqual(now, answer)) throw new Error(`GET ${path ?? ''} was torn: ${JSON.stringify(now)}`);
      await pause(REST_BETWEEN_READS_MS);
    }
  };
  const working = work().finally(() => {
    over = true;
  });
  await Promise.all([working, ...Array.from({ length: READERS_AT_ONCE }, (_, index) => read(index))]);
  return percentile(times, 0.95);
}
