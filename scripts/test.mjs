// Everything that must hold: format, lint, types, import rules, unused code, then the tests, sizes from small to large.
// With arguments, only the tests that match them, as Jest understands arguments: a part of a path, -t 'words of a name'.
// The last line counts: each static check is one, each test is one.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';

/** Scripts of package.json, so that a developer runs exactly the same one by one. */
const gates = ['format', 'lint', 'typecheck', 'boundaries', 'unused'];

/**
 * Jest projects run together, and their workers. Two workers share the PostgreSQL server and the ports of the machine, so a
 * spec keeps to its own database, folder and range of ports. Crash tests kill soon after what they see happen. Soaks count
 * what they get done in some seconds: they get the machine to themselves.
 */
const suites = [
  { projects: ['unit', 'architecture'], workers: 2 },
  { projects: ['contract'], workers: 2 },
  { projects: ['e2e'], workers: 2 },
  { projects: ['crash'], workers: 2 },
  { projects: ['soak'], workers: 1 },
];

const longestSuiteMinutes = 30;

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
const wanted = process.argv.slice(2);
const count = { passed: 0, failed: 0, skipped: 0 };
const children = new Set();
let interrupted = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
    for (const child of children) child.kill(signal);
  });
}

function run(script, args, { show = false, minutes = longestSuiteMinutes } = {}) {
  return new Promise((resolve) => {
    const [program, ...given] = scripts[script].split(' ');
    const command = program === 'node' ? given : [`node_modules/.bin/${program}`, ...given];
    const child = spawn(process.execPath, [...command, ...args], {
      stdio: show ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    const timer = setTimeout(() => child.kill('SIGKILL'), minutes * 60_000);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('close', (exitCode) => {
      clearTimeout(timer);
      children.delete(child);
      resolve({ exitCode, output });
    });
  });
}

async function runGates() {
  const waiting = [...gates];
  const worker = async () => {
    for (let gate = waiting.shift(); gate !== undefined && !interrupted; gate = waiting.shift()) {
      const begin = performance.now();
      const { exitCode, output } = await run(gate, []);
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      console.log(`${exitCode === 0 ? 'ok  ' : 'FAIL'} ${gate} (${scripts[gate]}) ${seconds} s`);
      if (exitCode !== 0) console.log(output);
      count[exitCode === 0 ? 'passed' : 'failed'] += 1;
    }
  };
  await Promise.all([worker(), worker()]);
}

async function runSuites(folder) {
  for (const { projects, workers } of suites) {
    if (interrupted) return;
    const outputFile = join(folder, 'results.json');
    rmSync(outputFile, { force: true });
    const { exitCode } = await run(
      'jest',
      [
        ...['--selectProjects', ...projects, `--maxWorkers=${workers}`, '--passWithNoTests'],
        ...['--json', `--outputFile=${outputFile}`, ...wanted],
      ],
      { show: true },
    );
    add(readResults(outputFile), exitCode, projects);
  }
}

function readResults(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** A file that could not be loaded counts as one failure, and so does a Jest that ended badly without naming one. */
function add(results, exitCode, projects) {
  const failed = (results?.numFailedTests ?? 0) + (results?.numRuntimeErrorTestSuites ?? 0);
  count.passed += results?.numPassedTests ?? 0;
  count.skipped += (results?.numPendingTests ?? 0) + (results?.numTodoTests ?? 0);
  count.failed += failed;
  if (exitCode !== 0 && failed === 0) {
    count.failed += 1;
    console.log(`FAIL Jest ended with ${exitCode ?? 'a signal'} in ${projects.join(', ')} although no test failed`);
  }
}

/** One PostgreSQL for all suites; it is started by the first test that needs it, and removed whatever ends this run. */
function shareThrowawayServer(folder) {
  if (process.env.OMA_TEST_POSTGRES_URL) return;
  process.env.OMA_TEST_POSTGRES_DIR = folder;
  spawn(process.execPath, ['scripts/throwaway.mjs', 'watch', String(process.pid), folder], {
    detached: true,
    stdio: 'ignore',
  }).unref();
}

const folder = mkdtempSync(join(tmpdir(), 'oma-test-'));
shareThrowawayServer(folder);
if (wanted.length === 0) await runGates();
await runSuites(folder);
spawnSync(process.execPath, ['scripts/throwaway.mjs', 'remove', folder], { stdio: 'inherit' });

if (interrupted) {
  console.log('Interrupted: not everything was run.');
  count.failed += 1;
}
if (count.passed + count.failed === 0) {
  console.log(`No test matches ${wanted.join(' ')}.`);
  count.failed += 1;
}
const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
process.exitCode = count.failed > 0 ? 1 : 0;
console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
