import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Lab, startLab } from '#lab/lab';

/** Starts a lab of the test's own. Its disks are built once for each process that runs tests; nobody writes to them. */
export async function startTestLab(): Promise<Lab & { clear(): Promise<void> }> {
  // The run's throw-away folder goes when the run ends; without one the disks go with the lab.
  const shared = process.env['OMA_TEST_POSTGRES_DIR'];
  const dir = shared === undefined ? mkdtempSync(join(tmpdir(), 'oma-lab-')) : join(shared, `lab-${process.pid}`);
  const lab = await startLab({ dir, port: 0 });
  const clear = async () => {
    await lab.stop();
    if (shared === undefined) rmSync(dir, { recursive: true, force: true });
  };
  return { ...lab, clear };
}
