import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { fail } from './failure.mjs';
import { quietly, step } from './quiet.mjs';

const stamp = 'dist/.oma-built';

/** Compiles src, lab and bench into dist, unless that was done from exactly these files. */
export async function buildIfStale() {
  const files = sourceFiles();
  const wanted = { files, key: keyOf(files) };
  const built = readStamp();
  if (built?.key === wanted.key) return;
  await step('Building', async () => {
    rmSync(stamp, { force: true });
    // What was compiled from a file that is gone must not be found any more.
    if (built === undefined || built.files.some((file) => !files.includes(file))) {
      rmSync('dist', { recursive: true, force: true });
    }
    const compiler = 'node_modules/typescript/bin/tsc';
    const { exitCode, output } = await quietly(process.execPath, [compiler, '-p', 'tsconfig.build.json']);
    if (exitCode !== 0) fail(`The build failed:\n${output}`);
    writeFileSync(stamp, JSON.stringify(wanted));
  });
}

function sourceFiles() {
  const inFolder = (folder) =>
    existsSync(folder)
      ? readdirSync(folder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts'))
          .map((entry) => join(entry.parentPath, entry.name))
      : [];
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json'];
  return [...inFolder('src'), ...inFolder('lab'), ...inFolder('bench'), ...settings].sort();
}

function keyOf(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stamp, 'utf8'));
  } catch {
    return undefined;
  }
}
