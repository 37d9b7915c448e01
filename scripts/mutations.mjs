/**
 * Breaks OMA in documented ways and looks whether the contract tests notice: `npm run mutations [-- SUITE]`. Each way is a change of
 * a line or two (test/mutations/), made in a copy; the suite it belongs to must go red. It takes half an hour per suite.
 *   --only WORD        those whose sentence has this word
 *   --at FIRST[-LAST]  those at these places of the list, counted from 1, so that a list can be gone through in portions
 *   --trust            the suite is known to be green as it is
 * Of each it says which test noticed, so that one can judge whether that was for the right reason.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const FOLDER = 'test/mutations';
const COPIED = ['src', 'lab', 'test', 'docs', 'scripts', 'jest.config.js', '.swcrc', 'package.json', 'tsconfig.json'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', default: '' }, at: { type: 'string', default: '' }, trust: { type: 'boolean' } },
});
const known = readdirSync(FOLDER).map((file) => file.replace('.mjs', ''));
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.log(`There is no suite ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  process.exit(1);
}

if (!existsSync('dist')) {
  console.log('Some of the tests run built programs: npm run build first.');
  process.exit(1);
}

const copy = mkdtempSync(join(tmpdir(), 'oma-mutations-'));
for (const name of COPIED) cpSync(name, join(copy, name), { recursive: true });
symlinkSync(resolve('node_modules'), join(copy, 'node_modules'));
// Threads and programs of OMA's own run as they were built, so nothing changes in them.
symlinkSync(resolve('dist'), join(copy, 'dist'));
/** One server for all of it. */
const postgres = mkdtempSync(join(tmpdir(), 'oma-test-'));
/** Who waits for ever has noticed as well, though not well. */
const ENDS_WITHIN_MS = 300_000;

const [first = 1, last = values.at === '' ? Infinity : first] = values.at
  .split('-')
  .map((place) => Number(place) || undefined);
const isMeant = ({ what }, index) => what.includes(values.only) && index + 1 >= first && index + 1 <= last;

/** Whether all tests of these files pass in the copy: `green`, `red`, or `hangs`; and the first that failed. */
function seen(specs) {
  const { status, signal, stderr } = spawnSync(
    process.execPath,
    [
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
      ...['--selectProjects', 'contract', 'unit', '--runInBand', '--bail', '--runTestsByPath', ...specs],
    ],
    {
      ...{ cwd: copy, stdio: ['ignore', 'ignore', 'pipe'], maxBuffer: Infinity, encoding: 'utf8' },
      ...{ timeout: ENDS_WITHIN_MS, killSignal: 'SIGKILL' },
      env: { ...process.env, OMA_TEST_POSTGRES_DIR: postgres },
    },
  );
  const by = / ● (.*)/.exec(stderr)?.[1] ?? 'nobody';
  if (signal !== null) return { colour: 'hangs', by };
  return { colour: status === 0 ? 'green' : 'red', by };
}

/** Does it with the copy changed, and changes it back. Throws when what is to be changed isn't there exactly once. */
function changed({ file, from, to }, look) {
  const path = join(copy, file);
  const text = readFileSync(path, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${file} does not have this exactly once: ${from}`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  try {
    return look();
  } finally {
    writeFileSync(path, text);
  }
}

let unnoticed = 0;
try {
  for (const name of known.filter((one) => positionals.length === 0 || positionals.includes(one))) {
    const { specs, mutations } = await import(resolve(FOLDER, `${name}.mjs`));
    if (!values.trust) {
      const { colour, by } = seen(specs);
      if (colour !== 'green') throw new Error(`the suite ${name} fails as it is: ${by}`);
      console.log(`${name}: green as it is`);
    }
    for (const mutation of mutations.filter(isMeant)) {
      const { colour, by } = changed(mutation, () => seen(specs));
      console.log(`${name}: ${colour === 'green' ? 'NOT NOTICED' : colour}: ${mutation.what} (${by})`);
      if (colour === 'green') unnoticed += 1;
    }
  }
} finally {
  spawnSync(process.execPath, ['scripts/throwaway.mjs', 'remove', postgres], { stdio: 'inherit' });
  rmSync(copy, { recursive: true, force: true });
}
console.log(unnoticed === 0 ? 'Every one was noticed.' : `${unnoticed} were not noticed.`);
process.exitCode = unnoticed === 0 ? 0 : 1;
