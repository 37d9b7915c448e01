/**
 * Everything that touches the log, on an EventStoreDB: `EVENTSTORE_URL=esdb://… npm run test:store`. Without the variable it
 * starts a double and uses that. The server may be in use: each test writes under names of its own, and deletes nothing.
 * Arguments go to Jest.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The suite of the port and what runs on any store, the log's own tests, and the whole of OMA. */
const SUITES = [
  {
    project: 'contract',
    files: 'test/contract/(event-store|eventstoredb|many-writers|aggregates|projections|saga|saga-races|sagas)',
  },
  { project: 'e2e', files: 'test/e2e/' },
];

async function startDouble() {
  const child = spawn(process.execPath, ['dist/lab/eventstoredb/main.js'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { url: JSON.parse(line).url, stop: () => child.kill() };
}

/** Where it is, and nothing of how one gets in. */
function placeOf(url) {
  return url.replace(/\/\/[^@/]*@/, '//').replace(/\?.*/, '');
}

function run({ project, files }, folder, env) {
  const outputFile = join(folder, `${project}.json`);
  const { status } = spawnSync(
    process.execPath,
    [
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
      ...['--selectProjects', project, '--testPathPatterns', files, '--maxWorkers=1'],
      ...['--json', `--outputFile=${outputFile}`, ...process.argv.slice(2)],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'], env },
  );
  const results = JSON.parse(readFileSync(outputFile, 'utf8'));
  return { status, passed: results.numPassedTests, failed: results.numFailedTests, skipped: results.numPendingTests };
}

const folder = mkdtempSync(join(tmpdir(), 'oma-store-'));
const given = process.env.EVENTSTORE_URL;
const double = given === undefined ? await startDouble() : null;
const url = given ?? double.url;
const what = double === null ? 'the server that EVENTSTORE_URL names' : 'a double, since EVENTSTORE_URL is not set';
console.log(`Testing against ${placeOf(url)}: ${what}.`);

let failed = 0;
for (const suite of SUITES) {
  const result = run(suite, folder, { ...process.env, EVENTSTORE_URL: url, OMA_TEST_POSTGRES_DIR: folder });
  console.log(
    `${suite.project}: ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped, on ${placeOf(url)}`,
  );
  failed += result.failed + (result.status === 0 ? 0 : 1);
}
double?.stop();
spawnSync(process.execPath, ['scripts/throwaway.mjs', 'remove', folder], { stdio: 'inherit' });
console.log(failed === 0 ? `All of it holds on ${what}.` : `Not all of it holds on ${what}.`);
process.exitCode = failed === 0 ? 0 : 1;
