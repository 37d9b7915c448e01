import { spawnSync } from 'node:child_process';

/** Removes the throw-away PostgreSQL, unless it belongs to somebody else (scripts/test.mjs shares one among its runs). */
export default function stop(): void {
  const folder = process.env['OMA_TEST_POSTGRES_DIR'];
  if (folder === undefined || process.env['OMA_TEST_POSTGRES_OWNER'] !== String(process.pid)) return;
  spawnSync(process.execPath, ['scripts/throwaway.mjs', 'remove', folder], { stdio: 'inherit' });
}
