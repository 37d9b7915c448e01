import { In } from 'typeorm';

import type { Machinery } from './machinery.js';
import type { Logger } from './platform/logging/logger.port.js';
import { JobRow } from './projections/jobs/job.entity.js';
import { MountRow } from './projections/restore/mount.entity.js';

/**
 * After a crash, before OMA serves: what no job and no open mount has a use for is removed and told. What is under way is
 * not touched: its saga takes it up again, or undoes it.
 */
export async function sweepOrphans({ rows, orphans }: Machinery, logger: Logger): Promise<void> {
  const [jobs, mounts] = await Promise.all([
    rows.getRepository(JobRow).findBy({ status: 'running' }),
    rows.getRepository(MountRow).findBy({ status: In(['mounting', 'mounted', 'unmounting']) }),
  ]);
  const open = new Set(mounts.map((mount) => mount.mountId));
  const swept = await orphans.sweep((kind, id) =>
    // An export is named by its job and the key of its disk.
    kind === 'mount' ? open.has(id) : jobs.some((job) => id.startsWith(`${job.jobId}-`)),
  );
  for (const { kind, id, found, left } of swept) {
    const what = left.length === 0 ? 'was found and removed' : 'was found and could not be removed entirely';
    logger.warn({ kind, id, found, left }, `something that belonged to no job ${what}`);
  }
}
