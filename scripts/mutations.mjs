/**
 * Breaks OMA in documented ways and looks whether the contract tests notice: `npm run mutations [-- SUITE] [--only WORD]`. Each way
 * is a change of a line or two (test/mutations/), made in a copy; the suite it belongs to must go red. It takes minutes per suite.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const FOLDER = 'test/mutations';
const COPIED = ['src', 'lab', 'test', 'docs', 'scripts', 'jest.config.js', '.swcrc', 'package.json', 'tsconfig.json'];

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });
const known = readdirSync(FOLDER).map((file) => file.replace('.mjs', ''));
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.log(`There is no suite ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  process.exit(1);
}

const copy = mkdtempSync(join(tmpdir(), 'oma-mutations-'));
for (const name of COPIED) cpSync(name, join(copy, name), { recursive: true });
symlinkSync(resolve('node_modules'), join(copy, 'node_modules'));
/** One server for all of it. */
const postgres = mkdtempSync(join(tmpdir(), 'oma-test-'));
/** Who waits for ever has noticed as well, though not well. */
const ENDS_WITHIN_MS = 300_000;

/** Whether all tests of these files pass in the copy: `green`, `red`, or `hangs`. */
function colourOf(specs) {
  const { status, signal } = spawnSync(
    process.execPath,
    [
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
      ...['--selectProjects', 'contract', 'unit', '--runInBand', '--bail', '--runTestsByPath', ...specs],
    ],
    {
      ...{ cwd: copy, stdio: 'ignore', timeout: ENDS_WITHIN_MS, killSignal: 'SIGKILL' },
      env: { ...process.env, OMA_TEST_POSTGRES_DIR: postgres },
    },
  );
  if (signal !== null) return 'hangs';
  return status === 0 ? 'green' : 'red';
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
    if (colourOf(specs) !== 'green') throw new Error(`the suite ${name} fails as it is`);
    console.log(`${name}: green as it is`);
    for (const mutation of mutations.filter(({ what }) => what.includes(values.only ?? ''))) {
      const colour = changed(mutation, () => colourOf(specs));
      console.log(`${name}: ${colour === 'green' ? 'NOT NOTICED' : colour}: ${mutation.what}`);
      if (colour === 'green') unnoticed += 1;
    }
  }
} finally {
  spawnSync(process.execPath, ['scripts/throwaway.mjs', 'remove', postgres], { stdio: 'inherit' });
  rmSync(copy, { recursive: true, force: true });
}
console.log(unnoticed === 0 ? 'Every one was noticed.' : `${unnoticed} were not noticed.`);
process.exitCode = unnoticed === 0 ? 0 : 1;
