import { Database } from '#platform/database/database';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';

import type { Bench, BenchContext } from '../harness/bench.js';
import { BenchServer, quietLog } from '../harness/database-server.js';
import { HandWriters } from '../harness/hand-writers.js';
import { interleaved } from '../harness/pairs.js';
import { secondsOf } from '../harness/programs.js';
import { type BenchCase, type Pair, speed } from '../harness/result.js';
import { type Append, appendsOf } from '../harness/writers.js';
import { READ_AS_WELL, THROUGH_EVENTSTOREDB, throughEventStoreDb } from './append-eventstoredb.js';

const BASELINE =
  'as many connections of pg, each with one prepared INSERT … RETURNING position into a table with the same columns and indexes as es.event, each in a transaction of its own';

/** So many appends per side that each takes a second or two. */
const CASES = [
  { writers: 1, appends: 3000, goal: 0.8 },
  { writers: 8, appends: 10_000, goal: 1.1 },
  { writers: 32, appends: 16_000, goal: 1.7 },
].map(({ writers, appends, goal }) => ({
  writers,
  appends,
  bench: {
    ...speed,
    name: `${appends} events, ${writers === 1 ? 'one writer' : `${writers} writers`}`,
    baseline: BASELINE,
    goal: { is: 'at least', value: goal },
  } satisfies BenchCase,
}));

/** Events through the port against prepared INSERTs of the same rows by the same driver. */
export const append: Bench = {
  name: 'append',
  about: 'one event of some 700 bytes per append, twenty per stream, each at an exact revision',
  cases: [...CASES.map(({ bench }) => bench), THROUGH_EVENTSTOREDB, READ_AS_WELL],
  async run(context) {
    const url = await (await BenchServer.start(context.dir, context.leftovers)).create('append');
    const database = new Database(url);
    context.leftovers.add(() => database.close());
    const store = new PostgresEventStore(database, quietLog);
    await store.start();
    context.leftovers.add(() => store.close());
    const hand = await HandWriters.connect(url, Math.max(...CASES.map(({ writers }) => writers)));
    context.leftovers.add(() => hand.close());
    const results = new Map<string, readonly Pair[]>();
    for (const { bench, writers, appends } of CASES) {
      const count = Math.ceil(appends * context.scale);
      results.set(bench.name, await measure(context, { store, hand, database, writers, count }));
    }
    return new Map([...results, ...(await throughEventStoreDb(context))]);
  },
};

interface Sides {
  readonly store: PostgresEventStore;
  readonly hand: HandWriters;
  readonly database: Database;
  readonly writers: number;
  readonly count: number;
}

async function measure(context: BenchContext, sides: Sides): Promise<readonly Pair[]> {
  const { store, hand, database, writers, count } = sides;
  // Both sides of a pair write the very same events, made before the clock runs.
  let round: readonly (readonly Append[])[] = [];
  let written = 0;
  const nextRound = () => {
    if (written % 2 === 0) round = appendsOf(writers, count);
    written += 1;
  };
  const measured = await interleaved(context, {
    ours: () => {
      nextRound();
      return secondsOf(() =>
        Promise.all(
          round.map(async (own) => {
            for (const { stream, expected, events } of own) await store.append(stream, expected, events);
          }),
        ),
      );
    },
    theirs: () => {
      nextRound();
      return secondsOf(() => hand.write(round));
    },
    compare: () => compare(database, round),
    describe: ({ ours, theirs }) => `${rate(count, ours)} against ${rate(count, theirs)} events/s`,
  });
  return measured.map(({ ours, theirs }) => ({ ours, baseline: theirs }));
}

function rate(count: number, seconds: number): string {
  return (count / seconds).toFixed(0);
}

/** Both tables hold what was written, the same and once; the log's positions have no holes. */
async function compare(database: Database, round: readonly (readonly Append[])[]): Promise<void> {
  const ids = round.flatMap((own) => own.flatMap(({ events }) => events.map(({ id }) => id)));
  const columns = 'stream, revision, id, type, data, metadata';
  const [row] = await database.query<{ ours: string; theirs: string; different: string; holes: string }>(
    `with ours as (select ${columns} from es.event where id = any($1::uuid[])),
          theirs as (select ${columns} from by_hand where id = any($1::uuid[]))
     select (select count(*) from ours) ours, (select count(*) from theirs) theirs,
            (select count(*) from (table ours except table theirs) d) different,
            (select max(position) - count(*) from es.event) holes`,
    [ids],
  );
  const wanted = String(ids.length);
  if (row?.ours !== wanted || row.theirs !== wanted || row.different !== '0' || row.holes !== '0') {
    throw new Error(`of ${wanted} events: ${JSON.stringify(row)}`);
  }
}
