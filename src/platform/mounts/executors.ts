import type { RestoreAccess } from '#platform/filesystems/restore-access';
import type { Logger } from '#platform/logging/logger.port';
import type { ProcessRunner } from '#platform/processes/process-runner.port';
import type { EffectExecutor } from '#platform/sagas/effect.port';

import { CloseDiskExecutor, DiskExecutor } from './disk.executors.js';
import { CloseFilesystemExecutor, FilesystemExecutor } from './filesystem.executors.js';
import { IdleExecutor } from './idle.executor.js';
import { InspectExecutor } from './inspect.executor.js';
import { MountParts } from './mount-parts.js';
import {
  CloseMountExportExecutor,
  MountExportExecutor,
  OverlayExecutor,
  RemoveOverlayExecutor,
} from './overlay.executors.js';

/** What the effect worker needs of this area: opening, watching and closing mounts of restore points. */
export function mountExecutors(deps: {
  readonly runner: ProcessRunner;
  readonly runDir: string;
  readonly access: RestoreAccess;
  readonly logger: Logger;
}): EffectExecutor[] {
  const parts = new MountParts(deps.runner, deps.runDir, deps.logger);
  return [
    new OverlayExecutor(parts, deps.access),
    new RemoveOverlayExecutor(parts, deps.access),
    new MountExportExecutor(parts),
    new CloseMountExportExecutor(parts),
    new DiskExecutor(parts),
    new CloseDiskExecutor(parts),
    new InspectExecutor(parts),
    new FilesystemExecutor(parts),
    new CloseFilesystemExecutor(parts),
    new IdleExecutor(deps.access),
  ];
}
