import { mkdir } from 'node:fs/promises';

import type { FoundPartition } from '#domain/restore/effects';
import { daemonReady, nbdAnswers } from '#platform/qemu/nbd-server';
import { EffectError } from '#platform/sagas/effect.port';

import type { MountFolder } from './mount-folder.js';
import type { MountParts } from './mount-parts.js';
import { isMounted } from './mount-table.js';

const READY_SECONDS = 15;

/**
 * Runs `work` on a file that is the partition alone. e2fsck takes an offset, but after a replay it opens the filesystem
 * again without it, and fails with the work half done (e2fsprogs 1.47).
 */
export async function onPartitionAlone<Result>(
  parts: MountParts,
  folder: MountFolder,
  partition: FoundPartition,
  signal: AbortSignal,
  work: (file: string) => Promise<Result>,
): Promise<Result> {
  const slice = folder.slice(partition.number);
  await parts.closeSlice(folder, partition.number);
  try {
    const server = await parts.runner.spawnDaemon({
      program: 'qemu-nbd',
      args: [
        '--persistent',
        '--shared=8',
        '--export-name=disk',
        `--socket=${slice.socket}`,
        sliceNode(folder, partition),
      ],
      logFile: folder.log(`slice-${partition.number}`),
    });
    const answers = () => nbdAnswers(parts.runner, slice.uri, partition.sizeBytes, signal);
    const limits = { seconds: READY_SECONDS, signal };
    if (!(await daemonReady(parts.runner, server, answers, limits))) throw notStarted();
    await mkdir(slice.folder, { mode: 0o700 });
    const view = await parts.runner.spawnDaemon({
      program: 'nbdfuse',
      args: ['-P', slice.pidFile, slice.file, slice.uri],
      logFile: folder.log(`slice-${partition.number}`),
    });
    if (!(await daemonReady(parts.runner, view, () => isMounted(slice.folder), limits))) throw notStarted();
    return await work(slice.file);
  } finally {
    await parts.closeSlice(folder, partition.number);
  }
}

/** A part of the disk, through the export that has the overlay open: nobody else may write to it. */
function sliceNode(folder: MountFolder, { startBytes, sizeBytes }: FoundPartition): string {
  const server = { type: 'unix', path: folder.socket };
  const disk = { driver: 'nbd', server, export: 'disk' };
  return `json:${JSON.stringify({ driver: 'raw', offset: startBytes, size: sizeBytes, file: disk })}`;
}

function notStarted(): EffectError {
  return new EffectError('transient', {
    code: 'mount-slice-not-started',
    message: 'a partition could not be opened',
    remedy: 'check that qemu-nbd and nbdfuse work, then mount the backup again',
  });
}
