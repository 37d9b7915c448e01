/**
 * The long tests in full: `npm run soak -- NAME [--count N] [--seed S]`. Without a name it lists them. CI runs a small sample
 * of the same. A failure prints the seed with which it comes again.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const SOAKS = {
  appends: { count: 100, about: 'writers and their database killed at random moments, with nothing acknowledged lost' },
  chains: { count: 1000, about: 'random sequences of guest changes, backups, failures, cancels, kills and restarts' },
  instances: {
    count: 300,
    about: 'two instances on one database, either killed at random under 24 writers; the number is seconds',
  },
  kills: { count: 300, about: 'OMA killed at random moments of backups, increments and mounts' },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { count: { type: 'string' }, seed: { type: 'string' }, workers: { type: 'string' } },
});
const [name] = positionals;
const soak = SOAKS[name];
if (soak === undefined) {
  if (name !== undefined) console.log(`There is no soak ${name}.`);
  for (const [known, { count, about }] of Object.entries(SOAKS)) console.log(`${known} (${count}): ${about}`);
  process.exit(name === undefined ? 0 : 1);
}

const folder = mkdtempSync(join(tmpdir(), 'oma-soak-'));
const { status } = spawnSync(
  process.execPath,
  [
    ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
    ...['--selectProjects', 'soak', '--testPathPatterns', `test/soak/${name}.spec.ts`],
  ],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      OMA_TEST_POSTGRES_DIR: folder,
      OMA_SOAK_COUNT: values.count ?? String(soak.count),
      OMA_SOAK_WORKERS: values.workers ?? '3',
      ...(values.seed !== undefined && { OMA_SOAK_SEED: values.seed }),
    },
  },
);
spawnSync(process.execPath, ['scripts/throwaway.mjs', 'remove', folder], { stdio: 'inherit' });
process.exit(status ?? 1);
