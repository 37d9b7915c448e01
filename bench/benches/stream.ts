import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { EmbeddedPostgres } from '#platform/database/embedded-postgres';
import { pinoLogger } from '#platform/logging/pino.logger';

import type { Bench, BenchContext } from '../harness/bench.js';
import type { Pair } from '../harness/result.js';

const TEN_READERS = 'how late the latest of ten readers ever is, at 2,000 events/s';
const READERS = 10;
const RATE = 2000;
const SECONDS = 20;
/** A writer that can't keep its pace measures something else. */
const PACE = 1.1;
const PASSWORD = 'bench-admin-password';

interface Report {
  readonly events: number;
  readonly lagSeconds: number;
}

/** Ten readers of `GET /events/stream` while the log grows; writer, readers, OMA and PostgreSQL are programs of their own. */
export const stream: Bench = {
  name: 'stream',
  about: `ten readers of GET /events/stream while the log grows by 2,000 events a second for ${SECONDS} seconds`,
  cases: [
    {
      name: TEN_READERS,
      baseline:
        'a loop that asks the table for what is new (select … where position > $1) and then rests 50 ms, beside them',
      unit: 's',
      comparedIs: 'ours (s)',
      compared: ({ ours }) => ours,
      goal: { is: 'at most', value: 1 },
      worstCounts: true,
    },
  ],
  async run(context) {
    const world = await enter(context);
    const pairs: Pair[] = [];
    for (let round = 0; round <= context.pairs; round += 1) {
      context.signal.throwIfAborted();
      const pair = await measure(world, context);
      context.tell(
        `${round === 0 ? 'to warm up' : `round ${round} of ${context.pairs}`}: ${pair.ours} s, by hand ${pair.baseline} s`,
      );
      if (round > 0) pairs.push(pair);
    }
    return new Map([[TEN_READERS, pairs]]);
  },
};

interface World {
  readonly url: string;
  readonly token: string;
  readonly databaseUrl: string;
}

async function enter({ dir, leftovers }: BenchContext): Promise<World> {
  const dataDir = join(dir, 'pg');
  await mkdir(dataDir, { mode: 0o700 });
  const postgres = await EmbeddedPostgres.start({ dataDir, log: pinoLogger('warn') });
  leftovers.add(() => postgres.stop());
  const oma = spawn(process.execPath, ['dist/src/main.js', '--ready-line'], {
    env: {
      ...process.env,
      OMA_PORT: '0',
      OMA_DATA_DIR: join(dir, 'oma'),
      OMA_ADMIN_PASSWORD: PASSWORD,
      OMA_LOG_LEVEL: 'warn',
      DATABASE_URL: postgres.url,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  leftovers.add(() => ended(oma));
  const lines = linesOf(oma);
  const { url } = await lines<{ url: string }>();
  const response = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password: PASSWORD }),
  });
  const { session_token: token } = (await response.json()) as { session_token: string };
  return { url, token, databaseUrl: postgres.url };
}

async function measure({ url, token, databaseUrl }: World, { scale, signal }: BenchContext): Promise<Pair> {
  const environment = { ...process.env, DATABASE_URL: databaseUrl, OMA_TOKEN: token };
  const start = (program: string, ...args: string[]) =>
    linesOf(
      spawn(process.execPath, [`dist/bench/${program}.main.js`, ...args], {
        env: environment,
        stdio: ['ignore', 'pipe', 'inherit'],
        signal,
      }),
    );
  const readers = start('stream-readers', '--url', url, '--readers', String(READERS));
  await readers();
  const seconds = Math.max(1, Math.round(SECONDS * scale));
  const writer = start('stream-writer', '--rate', String(RATE), '--seconds', String(seconds));
  const written = await writer<{ written: number; seconds: number }>();
  const { streams, byHand } = await readers<{ streams: readonly Report[]; byHand: Report }>();
  for (const { events } of [...streams, byHand]) {
    if (events !== written.written) throw new Error(`a reader got ${events} of ${written.written} events`);
  }
  if (written.seconds > seconds * PACE) throw new Error(`the writer needed ${written.seconds} s for ${seconds} s`);
  return { ours: Math.max(...streams.map(({ lagSeconds }) => lagSeconds)), baseline: byHand.lagSeconds };
}

/** The next line of JSON that a program says. Throws when it ends without one. */
function linesOf(child: ChildProcess): <Line>() => Promise<Line> {
  if (child.stdout === null) throw new Error('the program has no standard output');
  child.once('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async <Line>() => {
    for (;;) {
      const line = await lines.next();
      if (line.done === true) throw new Error('a program of the bench ended too early');
      if (line.value.startsWith('{')) return JSON.parse(line.value) as Line;
    }
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}
