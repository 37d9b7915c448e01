import type { ProcessRunner } from '#platform/processes/process-runner.port';
import type { Agents } from '#platform/vma/agents';
import type { EffectExecutor } from '#platform/sagas/effect.port';

import { FinishExportExecutor, StartExportExecutor, StopExportExecutor } from './export.executors.js';
import { CheckImageExecutor, CreateImageExecutor, RemoveImageExecutor } from './image.executors.js';
import type { NbdExports } from './nbd-exports.js';
import { QemuImg } from './qemu-img.js';
import { WriteSidecarExecutor } from './sidecar.executor.js';

/** What the effect worker needs of this area: images, their exports and their sidecars. */
export function qemuExecutors(deps: {
  readonly runner: ProcessRunner;
  readonly nbdExports: NbdExports;
  readonly agents: Agents;
}): EffectExecutor[] {
  const qemuImg = new QemuImg(deps.runner);
  return [
    new CreateImageExecutor(qemuImg),
    new RemoveImageExecutor(),
    new CheckImageExecutor(qemuImg),
    new StartExportExecutor(deps.nbdExports, qemuImg, deps.agents),
    new StopExportExecutor(deps.nbdExports),
    new FinishExportExecutor(deps.nbdExports),
    new WriteSidecarExecutor(),
  ];
}
