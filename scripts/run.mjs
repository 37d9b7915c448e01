// The door of `npm start`, `npm run demo`, `npm run oma`, `npm run bench` and `npm test`: sets up what is missing, then runs the program in this process.
// Node's own modules only: it runs before anything is installed. It writes to stderr; stdout belongs to the program.
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { buildIfStale } from './bootstrap/build.mjs';
import { fail, Failure } from './bootstrap/failure.mjs';
import { alone } from './bootstrap/lock.mjs';
import { checkNode } from './bootstrap/node-version.mjs';
import { installPackages } from './bootstrap/packages.mjs';
import { ensurePrograms, findAdministratorsPrograms } from './bootstrap/programs.mjs';

const programs = {
  start: 'dist/src/main.js',
  demo: 'dist/lab/demo.js',
  oma: 'dist/src/cli.main.js',
  bench: 'dist/bench/main.js',
  test: 'scripts/test.mjs',
};

try {
  const [command = '', ...args] = process.argv.slice(2);
  if (!Object.hasOwn(programs, command)) fail('usage: node scripts/run.mjs start|demo|oma|bench|test [arguments]');
  checkNode();
  process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
  findAdministratorsPrograms();
  await alone(async () => {
    // The programs come first: what the user must do alone is said before the long wait.
    await ensurePrograms(command);
    await installPackages();
    await buildIfStale();
  });
  const program = resolve(programs[command]);
  if (!existsSync(program)) fail(`${programs[command]} is missing although the build succeeded`);
  // In this process and not in a child: signals, exit code and terminal are the program's own, and nothing can outlive it.
  process.setSourceMapsEnabled(true);
  process.argv.splice(1, process.argv.length - 1, program, ...args);
  await import(pathToFileURL(program).href);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
