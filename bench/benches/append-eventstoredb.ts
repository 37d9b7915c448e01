import { once } from 'node:events';
import { connect } from 'node:net';

import { EventStoreDBClient, jsonEvent, streamNameFilter } from '@eventstore/db-client';

import type { Position } from '#domain/kernel/event';
import type { EventStore } from '#platform/event-store/event-store.port';
import { EventStoreDbEventStore } from '#platform/event-store/eventstoredb/eventstoredb.event-store';
import { newId } from '#platform/ids/ids';

import type { BenchContext } from '../harness/bench.js';
import { quietLog } from '../harness/database-server.js';
import { freePort, serve } from '../harness/nbd-server.js';
import { interleaved } from '../harness/pairs.js';
import { secondsOf } from '../harness/programs.js';
import { type BenchCase, type Pair, speed } from '../harness/result.js';
import { type Append, appendsOf } from '../harness/writers.js';

const GIVEN = process.env['EVENTSTORE_URL'];
const WRITERS = 8;
const APPENDS = 4000;

const SERVER = GIVEN === undefined ? 'the wire double, no real server' : 'EVENTSTORE_URL';
const BASELINE =
  'appendToStream of one bare @eventstore/db-client with the same events at the same expected revisions, to the same server';

export const THROUGH_EVENTSTOREDB: BenchCase = {
  ...speed,
  name: `${APPENDS} events, ${WRITERS} writers, through EventStoreDB (${SERVER})`,
  baseline: BASELINE,
  goal: { is: 'at least', value: 0.9 },
};
export const READ_AS_WELL: BenchCase = {
  ...THROUGH_EVENTSTOREDB,
  name: `${APPENDS} events, ${WRITERS} writers and a reader, through EventStoreDB (${SERVER})`,
  baseline: `${BASELINE}, with a filtered subscription of its own beside`,
};

type Round = readonly (readonly Append[])[];

/** Events through the adapter against the client that it is made of, on EVENTSTORE_URL or else on the double of its wire. */
export async function throughEventStoreDb(context: BenchContext): Promise<ReadonlyMap<string, readonly Pair[]>> {
  const url = GIVEN ?? (await startDouble(context));
  const pairs = new Map([[THROUGH_EVENTSTOREDB.name, await appendPairs(context, url, false)]]);
  return pairs.set(READ_AS_WELL.name, await appendPairs(context, url, true));
}

async function appendPairs(context: BenchContext, url: string, read: boolean): Promise<readonly Pair[]> {
  const store = new EventStoreDbEventStore({ url, namespace: `bench${newId().slice(-12)}` }, quietLog);
  await store.start();
  context.leftovers.add(() => store.close());
  const client = EventStoreDBClient.connectionString(url);
  context.leftovers.add(() => client.dispose());
  if (read) readBeside(context, store, await store.head(), client);
  // Streams of a round are new, so that a side can be repeated on a log that keeps all.
  const round = () => appendsOf(WRITERS, Math.ceil(APPENDS * context.scale));
  const measured = await interleaved(context, {
    ours: () => timed(round(), ({ stream, expected, events }) => store.append(stream, expected, events)),
    theirs: () => timed(round(), (append) => bareAppend(client, append)),
    // Each append is refused unless all before it in its stream are there; the answers are what there is to compare.
    compare: () => Promise.resolve(),
    describe: ({ ours, theirs }) =>
      `EventStoreDB${read ? ' with readers' : ''}: ${ours.toFixed(2)} s against ${theirs.toFixed(2)} s`,
  });
  return measured.map(({ ours, theirs }) => ({ ours, baseline: theirs }));
}

/** Each side gets back what it appends, and nothing of what the other does. */
function readBeside({ leftovers }: BenchContext, store: EventStore, after: Position, client: EventStoreDBClient): void {
  const over = new AbortController();
  const ours = (async () => {
    let events = 0;
    for await (const batch of store.subscribe({ after, signal: over.signal })) events += batch.events.length;
    return events;
  })();
  const filter = streamNameFilter({ prefixes: ['bench-'] });
  const theirs = client.subscribeToAll({ fromPosition: 'end', filter });
  theirs.on('data', () => undefined);
  // The client emits one when it is disposed of.
  theirs.on('error', () => undefined);
  leftovers.add(async () => {
    over.abort();
    await ours;
    await theirs.unsubscribe();
  });
}

function timed(round: Round, append: (one: Append) => Promise<unknown>): Promise<number> {
  return secondsOf(() =>
    Promise.all(
      round.map(async (own) => {
        for (const one of own) await append(one);
      }),
    ),
  );
}

async function bareAppend(client: EventStoreDBClient, { stream, expected, events }: Append): Promise<void> {
  const [{ id, type, data, metadata }] = events;
  const event = jsonEvent({ id, type, data: { ...data }, metadata: { ...metadata } });
  const expectedRevision = typeof expected === 'bigint' ? expected : 'no_stream';
  await client.appendToStream(stream, event, { expectedRevision });
}

async function startDouble({ leftovers }: BenchContext): Promise<string> {
  const port = await freePort();
  await serve(
    process.execPath,
    ['dist/lab/eventstoredb/main.js', '--port', String(port)],
    () => listens(port),
    leftovers,
  );
  return `esdb://127.0.0.1:${port}?tls=false`;
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return once(socket, 'connect')
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy());
}
