import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

import { fail } from './failure.mjs';
import { quietly, step } from './quiet.mjs';

const stamp = 'node_modules/.oma-installed';

/** Installs the packages of package-lock.json, unless exactly those are installed already. */
export async function installPackages() {
  const wanted = wantedPackages();
  if (installed() === wanted) return;
  await step('Installing the npm packages (about half a minute)', async () => {
    // Gone before the work begins: an interrupted installation is never taken for a finished one.
    rmSync(stamp, { force: true });
    const npm = npmProgram();
    const options = ['--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
    const { exitCode, output } = await quietly(npm.program, [...npm.args, 'ci', ...options]);
    if (exitCode !== 0) fail(`The npm packages could not be installed (npm ci):\n${output}`);
    writeFileSync(stamp, wanted);
  });
}

/** Native packages differ by system and processor; a folder may be shared or moved between machines. */
function wantedPackages() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  return hash.update(readFileSync('package-lock.json')).digest('hex');
}

function installed() {
  try {
    return readFileSync(stamp, 'utf8');
  } catch {
    return undefined;
  }
}

/** The npm that started this program, else the one on the PATH. */
function npmProgram() {
  const script = process.env.npm_execpath ?? '';
  return /npm-cli\.c?js$/.test(script) ? { program: process.execPath, args: [script] } : { program: 'npm', args: [] };
}
