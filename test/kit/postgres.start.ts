import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Names the folder of the run's throw-away PostgreSQL; the first test that wants a database starts it there (test/kit/
 * postgres.ts). Jest calls this once per project; they share one server. A watcher removes it also after an interruption.
 */
export default function start(): void {
  if (process.env['OMA_TEST_POSTGRES_URL'] ?? process.env['OMA_TEST_POSTGRES_DIR']) return;
  const folder = mkdtempSync(join(tmpdir(), 'oma-test-'));
  process.env['OMA_TEST_POSTGRES_DIR'] = folder;
  process.env['OMA_TEST_POSTGRES_OWNER'] = String(process.pid);
  spawn(process.execPath, ['scripts/throwaway.mjs', 'watch', String(process.pid), folder], {
    detached: true,
    stdio: 'ignore',
  }).unref();
}
