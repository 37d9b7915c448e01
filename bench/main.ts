import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { BENCHES } from './catalogue.js';
import type { Bench } from './harness/bench.js';
import { type Order, readOrder, USAGE } from './harness/command-line.js';
import { Leftovers } from './harness/leftovers.js';
import { judge, type Result } from './harness/result.js';
import { catalogueLines, resultLines } from './harness/table.js';

/** With more than this from others, what is measured says little about us. */
const QUIET_LOAD = 0.5;
const INTERRUPTED = 130;
/** The folder of all guests' disks. */
const DISKS = 'disks';

/** How it goes is for the person who waits; standard output belongs to the result. */
function tell(line: string): void {
  console.error(line);
}

async function measure(order: Order, signal: AbortSignal): Promise<readonly Result[]> {
  const dir = await mkdtemp(join(resolve(order.dir ?? tmpdir()), 'oma-bench-'));
  tell(
    `${cpus().length} processors, load ${loadavg()
      .map((load) => load.toFixed(2))
      .join(' ')}; everything lies in ${dir}`,
  );
  if ((loadavg()[0] ?? 0) > QUIET_LOAD) tell('Others are using this machine: take the ratios with a grain of salt.');
  if (order.scale !== 1) tell(`The sizes are ${order.scale} of those that the goals speak of: nothing counts as met.`);
  try {
    const results: Result[] = [];
    for (const bench of order.benches) results.push(...(await measureOne(bench, order, dir, signal)));
    return results;
  } finally {
    await rm(join(dir, DISKS), { recursive: true, force: true });
    await rmdir(dir).catch(() => {
      tell(`${dir} is kept, since something is left in it`);
    });
  }
}

async function measureOne(bench: Bench, order: Order, dir: string, signal: AbortSignal): Promise<readonly Result[]> {
  const { pairs, scale } = order;
  const place = join(dir, bench.name);
  await mkdir(place, { mode: 0o700 });
  const leftovers = new Leftovers();
  const context = {
    ...{ pairs, scale, dir: place, disksDir: join(dir, DISKS), leftovers, signal },
    tell: (line: string) => {
      tell(`${bench.name}: ${line}`);
    },
  };
  try {
    const measured = await Promise.race([bench.run(context), aborted(signal)]);
    return bench.cases.map((one) => judge(bench.name, one, measured.get(one.name) ?? [], scale === 1));
  } finally {
    const problems = await leftovers.clear();
    for (const problem of problems) tell(`${bench.name}: ${problem}`);
    // What still lives keeps its folder, so that somebody can look at it.
    if (problems.length === 0) await rm(place, { recursive: true, force: true });
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const give = () => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
}

function ordered(): Order {
  try {
    return readOrder(process.argv.slice(2), BENCHES);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(USAGE);
    process.exit(2);
  }
}

const order = ordered();
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interruption.abort(new Error(`interrupted by ${signal}`));
  });
}
try {
  if (order.benches.length === 0) {
    (order.json ? console.error : console.log)([...catalogueLines(BENCHES), '', USAGE].join('\n'));
    if (order.json) console.log('[]');
  } else {
    const results = await measure(order, interruption.signal);
    for (const line of resultLines(results, BENCHES)) (order.json ? console.error : console.log)(line);
    if (order.json) console.log(JSON.stringify(results, null, 2));
    process.exitCode = results.every(({ met }) => met) ? 0 : 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = interruption.signal.aborted ? INTERRUPTED : 1;
}
